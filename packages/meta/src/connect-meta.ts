/**
 * The metadata store of a process that is no member: it watches one member, proposes through any, and tells the leader
 * that it is alive. Always: with no member in reach the last catalogue stays and nothing else of the process stops.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type NodeId } from '@quiver/model';
import { decodePlain, encodePlain, peerPaths, type MetaStatus, type PeerCaller } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import { createCatalogueFeed, emptyCatalogue } from './catalogue-feed.ts';
import { followCatalogue } from './catalogue-follower.ts';
import { metaAddresses, startHeartbeats } from './heartbeats.ts';
import { proposeTimeoutMs, type Meta, type MetaSelf } from './meta.ts';
import { emptyReport, type HeldReport } from './node-report.ts';
import { replyOf, type ProposeAnswer, type ProposeRequest } from './proposal.ts';
import { createProposalLanes } from './proposal-lanes.ts';
import { register } from './registration.ts';
import { retryUnavailable } from './retry.ts';

export interface ConnectMetaOptions {
  /** Members as configured, `host:port`; more are learned from the catalogue. */
  readonly addresses: readonly string[];
  readonly self: MetaSelf;
  readonly caller: Pick<PeerCaller, 'call' | 'watch'>;
  readonly env: Env;
  readonly log: Log;
}

/** At once; `ready` resolves when this node is registered. */
export function connectMeta(options: ConnectMetaOptions): Meta {
  const { self, caller, env, log } = options;
  const feed = createCatalogueFeed(emptyCatalogue, env, log);
  const lanes = createProposalLanes(env.uuid());
  const broken = new Set<NodeId>();
  let held: () => HeldReport = () => emptyReport;
  let isClosed = false;
  let turn = 0;

  function candidates(): string[] {
    return [...new Set([...metaAddresses(feed.catalogue()), ...options.addresses])];
  }
  const follower = followCatalogue({ feed, caller, env, log, candidates });

  /** The member that is watched first, the others in turn. */
  function memberFor(attempt: number): string {
    const all = candidates();
    const preferred = follower.connectedTo;
    if (attempt === 0 && preferred !== null) return preferred;
    const address = all[(turn += 1) % Math.max(1, all.length)];
    if (address === undefined)
      throw new ClusterError('unavailable', 'no member of the metadata store is known');
    return address;
  }

  async function ask(path: string, request: unknown, deadlineMs: number): Promise<unknown> {
    let attempt = 0;
    const message = encodePlain(request);
    return retryUnavailable(env, deadlineMs, async (attemptDeadlineMs) => {
      const address = memberFor(attempt);
      attempt += 1;
      return decodePlain(await caller.call(address, path, message, { deadlineMs: attemptDeadlineMs }));
    });
  }

  const heartbeats = startHeartbeats({
    env,
    caller,
    candidates,
    takeHere: () => isClosed,
    make() {
      const report = { ...held(), broken: [...broken] };
      broken.clear();
      return { nodeId: self.id, bootId: self.bootId, report, hashes: null };
    },
  });

  const meta: Meta = {
    propose: (command, given) =>
      lanes.use(({ clientId, seq }) => meta.proposeFor(clientId, seq, command, given)),
    async proposeFor(clientId, seq, command, given) {
      const deadlineMs = given?.deadlineMs ?? env.now() + proposeTimeoutMs;
      const request: ProposeRequest = { clientId, seq, command, hops: 0 };
      const reply = replyOf((await ask(peerPaths.meta.propose, request, deadlineMs)) as ProposeAnswer);
      await feed.reached(reply.revision, deadlineMs);
      await feed.delivered();
      return reply;
    },
    catalogue: () => feed.catalogue(),
    onChange: (listener) => feed.onChange(listener),
    reached: (revision, { deadlineMs }) => feed.reached(revision, deadlineMs),
    async refresh({ deadlineMs }) {
      const { revision } = (await ask(peerPaths.meta.read, {}, deadlineMs)) as { revision: number };
      await feed.reached(revision, deadlineMs);
      await feed.delivered();
    },
    async status({ deadlineMs }) {
      const status = (await ask(peerPaths.meta.status, { kind: 'status' }, deadlineMs)) as MetaStatus;
      return { ...status, nodeId: self.id, role: 'none' };
    },
    noteBroken: (nodeId) => void broken.add(nodeId),
    setReport: (make) => (held = make),
    get clusterId() {
      return follower.clusterId;
    },
    ready: Promise.resolve().then(() =>
      register(meta, { ...self, memberId: null }, { env, log, isClosed: () => isClosed }),
    ),
    close() {
      isClosed = true;
      heartbeats.stop();
      follower.stop();
      return Promise.resolve();
    },
  };
  meta.ready.catch(() => undefined);
  return meta;
}
