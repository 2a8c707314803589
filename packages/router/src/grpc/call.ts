/** From a call to what use cases are given: who asks, until when, whether the change is waited for. */
import { ClusterError } from '@quiver/model';
import { callDeadlineMs, malformed, type RpcCall } from '@quiver/rpc';
import type { Access, ConsistencyLevel, RequestContext, WriteContext } from '../api.ts';
import { explainMetadata, explainOfMetadata, explanationMetadata } from '../explain.ts';
import {
  affinityHeader,
  missingShardsHeader,
  missingShardsOf,
  partialResultsHeader,
} from '../read-headers.ts';
import type { GrpcOptions } from './options.ts';

const defaultTimeoutMs = 60_000;
const bearer = 'Bearer ';

/** By the `api-key` metadata or a bearer token. @throws ClusterError unauthenticated */
export function accessOf(call: RpcCall, options: GrpcOptions): Access {
  const { apiKey, altApiKey, readOnlyApiKey } = options;
  if (apiKey === null && altApiKey === null && readOnlyApiKey === null) return 'full';
  const authorization = call.metadata('authorization');
  const given =
    call.metadata('api-key') ??
    (authorization?.startsWith(bearer) === true ? authorization.slice(bearer.length) : undefined);
  if (given === undefined)
    throw new ClusterError('unauthenticated', 'Must provide an API key or an Authorization bearer token');
  if (isSame(given, apiKey) || isSame(given, altApiKey)) return 'full';
  if (isSame(given, readOnlyApiKey)) return 'read';
  throw new ClusterError('unauthenticated', 'Invalid API key or JWT');
}

/** In a time that does not tell where they differ. */
function isSame(given: string, key: string | null): boolean {
  if (key === null) return false;
  let difference = given.length ^ key.length;
  for (let i = 0; i < given.length; i += 1)
    difference |= given.charCodeAt(i) ^ key.charCodeAt(i % Math.max(key.length, 1));
  return difference === 0;
}

/** `ReadConsistency`. */
interface ConsistencyMessage {
  readonly type?: number;
  readonly factor?: number | bigint;
}
export interface ReadMessage extends TimedMessage {
  readonly read_consistency?: ConsistencyMessage;
}

const consistencyTypes = ['all', 'majority', 'quorum'] as const;

/** Of a call that reads points. */
export function readContextOf(call: RpcCall, message: ReadMessage, options: GrpcOptions): RequestContext {
  const affinity = call.metadata(affinityHeader);
  const consistency = decodeConsistency(message.read_consistency);
  const missingShards = missingShardsOf(call.metadata(partialResultsHeader));
  return {
    ...contextOf(call, message, options),
    ...(consistency === undefined ? {} : { consistency }),
    ...(affinity === undefined ? {} : { affinity }),
    ...(explainOfMetadata(call.metadata(explainMetadata)) ? { explanations: [] } : {}),
    ...(missingShards === null ? {} : { missingShards }),
  };
}

/** Tells the client which shards are not in its answer. */
export function reportMissingShards(call: RpcCall, { missingShards }: RequestContext): void {
  if (missingShards === undefined || missingShards.size === 0) return;
  call.answerWith(missingShardsHeader, [...missingShards].sort((a, b) => a - b).join(','));
}

/** Tells the client what its queries did, when it asked. */
export function reportExplanations(call: RpcCall, { explanations }: RequestContext): void {
  if (explanations !== undefined) call.answerWith(explainMetadata, explanationMetadata(explanations));
}

function decodeConsistency(message: ConsistencyMessage | undefined): ConsistencyLevel | undefined {
  if (message === undefined) return undefined;
  if (message.type !== undefined) {
    const level = consistencyTypes[message.type];
    if (level === undefined) throw malformed(`invalid read consistency type value ${message.type}`);
    return level;
  }
  const factor = Number(message.factor ?? 0);
  if (factor === 0) throw malformed(`invalid read consistency factor value ${factor}`);
  return factor;
}

interface TimedMessage {
  readonly timeout?: number | bigint;
}

export function contextOf(call: RpcCall, message: TimedMessage, options: GrpcOptions): RequestContext {
  const { env } = options;
  const limits = {
    nowMs: env.now(),
    wallNowMs: env.wallNow(),
    callDeadlineWallMs: call.deadlineWallMs,
    timeoutSeconds: message.timeout ?? null,
    defaultTimeoutMs,
  };
  return { access: accessOf(call, options), deadlineMs: callDeadlineMs(limits) };
}

export function writeContextOf(
  call: RpcCall,
  message: TimedMessage & { readonly wait?: boolean },
  options: GrpcOptions,
): WriteContext {
  return { ...contextOf(call, message, options), wait: message.wait ?? false };
}
