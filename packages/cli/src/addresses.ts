/** Addresses of the configuration: URIs as operators write them, `host:port` as calls need them. */
import { ConfigError } from './config/config-error.ts';
import type { NamedPeer } from '@quiver/meta';

/**
 * @param uri - "http://host:6335"; the port may be left out
 * @throws ConfigError
 */
export function hostPort(uri: string, key: string, defaultPort: number): string {
  const parsed = URL.canParse(uri) ? new URL(uri) : null;
  if (parsed === null || parsed.hostname === '')
    throw new ConfigError([
      `\`${key}\`: ${uri} is no address; one as http://host:${defaultPort} is expected`,
    ]);
  return `${parsed.hostname}:${parsed.port === '' ? defaultPort : parsed.port}`;
}

/** "a=http://host:6335,b=...", each name and each address once. @throws ConfigError */
export function namedPeers(list: string, key: string, defaultPort: number): NamedPeer[] {
  const peers = parts(list).map((part): NamedPeer => {
    const at = part.indexOf('=');
    if (at < 1) throw new ConfigError([`\`${key}\`: ${part} has no name; name=http://host:port is expected`]);
    return { name: part.slice(0, at), address: hostPort(part.slice(at + 1), key, defaultPort) };
  });
  for (const field of ['name', 'address'] as const) {
    const twice = peers.find((peer, i) => peers.slice(0, i).some((other) => other[field] === peer[field]));
    if (twice !== undefined)
      throw new ConfigError([
        `\`${key}\`: the ${field} ${twice[field]} is given twice; each member has its own`,
      ]);
  }
  return peers;
}

/** "http://host:6335,..." @throws ConfigError */
export function addressList(list: string, key: string, defaultPort: number): string[] {
  return parts(list).map((part) => hostPort(part, key, defaultPort));
}

function parts(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
