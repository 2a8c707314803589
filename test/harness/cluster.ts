/**
 * A cluster of real processes on this machine for tests, formed in either way: roles apart, or equal peers as in Qdrant.
 * Always: each node has ports and a folder of its own, is ended by its process id, and leaves nothing behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startQdrant, startQuiver, type RunningServer, type ServerOptions } from './server.ts';

/** In the environment of each node: its name. */
export const nodeNameVariable = 'TEST_NODE_NAME';

export type Role = 'meta' | 'shard' | 'router' | 'peer';

export interface ClusterNode {
  readonly name: string;
  readonly role: Role;
  readonly folder: string;
  readonly p2pPort: number;
  /** The running process; replaced by a restart. */
  server: RunningServer;
  /** Starts it again on the same folder and ports. REQUIRES: it was ended or killed. */
  restart(): Promise<void>;
}

export interface Cluster {
  readonly nodes: readonly ClusterNode[];
  of(role: Role): ClusterNode[];
  /** REST addresses that clients use. */
  urls(): string[];
  add(role: Role): Promise<ClusterNode>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Ports of clients' connections; free ones by default. */
  readonly ports?: (role: Role, index: number) => Pick<ServerOptions, 'restPort' | 'grpcPort'>;
  /** The address others are told for a node, as a proxy in front of it; default its own. */
  readonly advertise?: (name: string, address: string) => Promise<string>;
  /** What one node gets beside its folder, asked once before its first start. */
  readonly outfit?: (name: string, folder: string) => Outfit;
}

export interface Outfit {
  readonly env: Readonly<Record<string, string>>;
  /** Called when the node has ended for good, before its folder goes. */
  release(): void;
}

interface Plan {
  readonly name: string;
  readonly ports: Pick<ServerOptions, 'restPort' | 'grpcPort'>;
  readonly role: Role;
  readonly p2pPort: number;
  readonly advertised: string;
}

/** `quiver meta|shard|router`, many of each. */
export async function startRoles(
  count: { readonly metas: number; readonly shards: number; readonly routers: number },
  options: ClusterOptions = {},
): Promise<Cluster> {
  const metas = await planned('meta', count.metas, options);
  const peers = metas.map(({ name, advertised }) => `${name}=${advertised}`).join();
  const members = metas.map(({ advertised }) => advertised).join();
  const argsOf = ({ name, role, p2pPort, advertised }: Plan): string[] => {
    const listen = ['--listen', `127.0.0.1:${p2pPort}`, '--advertise', advertised];
    if (role === 'meta') return ['meta', '--id', name, ...listen, '--peers', peers];
    if (role === 'shard') return ['shard', '--id', name, ...listen, '--meta', members];
    return ['router', '--id', name, '--meta', members];
  };
  const cluster = createCluster(argsOf, options);
  await cluster.start(metas);
  await cluster.start(await planned('shard', count.shards, options));
  await cluster.start(await planned('router', count.routers, options));
  return cluster;
}

/** `quiver all --uri`, the first founds the cluster and the others join it. */
export async function startPeers(count: number, options: ClusterOptions = {}): Promise<Cluster> {
  const plans = await planned('peer', count, options);
  const first = plans[0]!;
  const cluster = createCluster(({ p2pPort, advertised, name }) => {
    const own = ['all', '--id', name, '--listen', `127.0.0.1:${p2pPort}`, '--uri', advertised];
    return p2pPort === first.p2pPort ? own : [...own, '--bootstrap', first.advertised];
  }, options);
  for (const plan of plans) await cluster.start([plan]);
  return cluster;
}

/** A cluster of the Qdrant server, or null where it is absent. */
export async function startQdrantPeers(count: number, options: ClusterOptions = {}): Promise<Cluster | null> {
  const plans = await planned('peer', count, options);
  const first = plans[0]!;
  const cluster = createCluster(
    ({ p2pPort, advertised }) =>
      p2pPort === first.p2pPort
        ? ['--uri', advertised]
        : ['--uri', advertised, '--bootstrap', first.advertised],
    options,
    async (given, { p2pPort }) =>
      startQdrant({
        ...given,
        env: {
          ...given.env,
          QDRANT__CLUSTER__ENABLED: 'true',
          QDRANT__CLUSTER__P2P__PORT: String(p2pPort),
        },
      }),
  );
  for (const plan of plans) if (!(await cluster.start([plan]))) return null;
  return cluster;
}

async function planned(role: Role, count: number, options: ClusterOptions, from = 0): Promise<Plan[]> {
  const plans: Plan[] = [];
  for (let i = 0; i < count; i += 1) {
    const name = `${role}-${from + i}`;
    const p2pPort = await freePort();
    const own = `http://127.0.0.1:${p2pPort}`;
    const advertised = (await options.advertise?.(name, own)) ?? own;
    plans.push({ name, role, p2pPort, advertised, ports: options.ports?.(role, from + i) ?? {} });
  }
  return plans;
}

type Start = (options: ServerOptions, plan: Plan) => Promise<RunningServer | null>;

function createCluster(
  argsOf: (plan: Plan) => string[],
  options: ClusterOptions,
  startServer: Start = startQuiver,
): Cluster & { start(plans: readonly Plan[]): Promise<boolean> } {
  const nodes: ClusterNode[] = [];
  const outfits: Outfit[] = [];

  async function startNode(plan: Plan): Promise<boolean> {
    const folder = mkdtempSync(join(tmpdir(), `quiver-${plan.name}-`));
    const dataPort =
      plan.role === 'peer' ? { QUIVER__CLUSTER__P2P__DATA_PORT: String(await freePort()) } : {};
    const outfit = options.outfit?.(plan.name, folder);
    if (outfit !== undefined) outfits.push(outfit);
    const env = { [nodeNameVariable]: plan.name, ...dataPort, ...options.env, ...outfit?.env };
    const started = { ...plan.ports, folder, args: argsOf(plan), env };
    const server = await startServer(started, plan);
    if (server === null) return false;
    const node: ClusterNode = {
      name: plan.name,
      role: plan.role,
      folder,
      p2pPort: plan.p2pPort,
      server,
      async restart() {
        const { restPort, grpcPort } = node.server;
        const again = await startServer({ ...started, restPort, grpcPort }, plan);
        if (again !== null) node.server = again;
      },
    };
    nodes.push(node);
    return true;
  }

  return {
    nodes,
    of: (role) => nodes.filter((node) => node.role === role),
    urls: () =>
      nodes.filter(({ role }) => role === 'router' || role === 'peer').map(({ server }) => server.url),
    async start(plans) {
      const started = await Promise.all(plans.map(startNode));
      return started.every(Boolean);
    },
    async add(role) {
      const [plan] = await planned(role, 1, options, nodes.filter((node) => node.role === role).length);
      await startNode(plan!);
      return nodes.at(-1)!;
    },
    async stop() {
      // Killed, not ended: the folders go anyway, and a node that is stopped by a test may be paused.
      await Promise.all(nodes.map(({ server }) => server.kill()));
      for (const outfit of outfits) outfit.release();
      for (const { folder } of nodes) rmSync(folder, { recursive: true, force: true });
    },
  };
}
