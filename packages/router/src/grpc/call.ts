/** From a call to what use cases are given: who asks, until when, whether the change is waited for. */
import { ClusterError } from '@quiver/model';
import { callDeadlineMs, type RpcCall } from '@quiver/rpc';
import type { Access, RequestContext, WriteContext } from '../api.ts';
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
