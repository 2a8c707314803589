/** Who asks, by the `api-key` header or a bearer token. Open without a key: `/` and the probes of health. */
import { ClusterError } from '@quiver/model';
import type { Access } from '../api.ts';
import type { Exchange } from './exchange.ts';
import type { RestOptions } from './options.ts';

const openPaths = new Set(['/', '/healthz', '/livez', '/readyz']);
const bearer = 'Bearer ';

type Keys = Pick<RestOptions, 'apiKey' | 'readOnlyApiKey' | 'altApiKey'>;

/** @throws ClusterError unauthenticated */
export function accessOf(exchange: Exchange, path: string, keys: Keys): Access {
  const { apiKey, altApiKey, readOnlyApiKey } = keys;
  if (apiKey === null && altApiKey === null && readOnlyApiKey === null) return 'full';
  if (openPaths.has(path)) return 'read';
  const given = keyOf(exchange);
  if (given === null)
    throw new ClusterError('unauthenticated', 'Must provide an API key or an Authorization bearer token');
  if (isSame(given, apiKey) || isSame(given, altApiKey)) return 'full';
  if (isSame(given, readOnlyApiKey)) return 'read';
  throw new ClusterError('unauthenticated', 'Invalid API key or JWT');
}

function keyOf(exchange: Exchange): string | null {
  const header = exchange.header('api-key');
  if (header !== undefined) return header;
  const authorization = exchange.header('authorization');
  return authorization?.startsWith(bearer) === true ? authorization.slice(bearer.length) : null;
}

/** In a time that does not tell where they differ. */
function isSame(given: string, key: string | null): boolean {
  if (key === null) return false;
  let difference = given.length ^ key.length;
  for (let i = 0; i < given.length; i += 1)
    difference |= given.charCodeAt(i) ^ key.charCodeAt(i % Math.max(key.length, 1));
  return difference === 0;
}
