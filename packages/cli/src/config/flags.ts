/** Command line flags, by Qdrant's names. */
import { parseArgs } from 'node:util';
import { ConfigError } from './config-error.ts';
import { nearestWord } from './did-you-mean.ts';

export interface Flags {
  readonly help: boolean;
  readonly version: boolean;
  readonly configPath: string | null;
  readonly uri: string | null;
  readonly bootstrap: string | null;
  readonly id: string | null;
  readonly listen: string | null;
  readonly peers: string | null;
  readonly meta: string | null;
  readonly telemetryDisabled: boolean;
  /** What is not a flag: the role (`all`), a command. */
  readonly words: readonly string[];
}

const options = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  'config-path': { type: 'string' },
  uri: { type: 'string' },
  advertise: { type: 'string' },
  bootstrap: { type: 'string' },
  id: { type: 'string' },
  listen: { type: 'string' },
  peers: { type: 'string' },
  meta: { type: 'string' },
  'disable-telemetry': { type: 'boolean' },
} as const;

/** @throws ConfigError for an unknown flag or one without its value */
export function parseFlags(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Flags {
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new ConfigError([explainFlag(argv, (error as Error).message)]);
  }
  const values = parsed.values;
  return {
    help: values.help ?? false,
    version: values.version ?? false,
    configPath: values['config-path'] ?? null,
    uri: values.uri ?? values.advertise ?? env['QDRANT_URI'] ?? null,
    bootstrap: values.bootstrap ?? env['QDRANT_BOOTSTRAP'] ?? null,
    id: values.id ?? null,
    listen: values.listen ?? null,
    peers: values.peers ?? null,
    meta: values.meta ?? null,
    telemetryDisabled: values['disable-telemetry'] ?? false,
    words: parsed.positionals,
  };
}

function explainFlag(argv: readonly string[], message: string): string {
  for (const word of argv) {
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name === undefined || name in options) continue;
    const near = nearestWord(name, Object.keys(options));
    return `unknown flag --${name}${near === null ? '' : `; did you mean --${near}?`}`;
  }
  return message;
}

export const usage = `quiver [ROLE] [flags]

Roles:
  all                  (default) everything in one process, alone or as one of several equal nodes
  meta                 a member of the replicated metadata store
  shard                a node that stores and searches points
  router               REST and gRPC for clients; stateless

Flags:
  --config-path FILE   a configuration file that wins over those in ./config
  --uri URL            address at which other nodes reach this one, as http://host:6335 (also --advertise)
  --bootstrap URL      role all: a node of the cluster to join; without it the node founds one
  --id NAME            what operators call this node; default: the host name
  --listen HOST:PORT   where calls of other nodes are taken; default: service.host and cluster.p2p.port
  --peers LIST         role meta: all first members, as a=http://host:6335,b=http://host:6335,...
  --meta LIST          roles shard, router: members of the metadata store, as http://host:6335,...
  --disable-telemetry  accepted; nothing is ever sent to anyone
  --help, -h           this text
  --version, -V        the version

Configuration: docs/configuration.md. Any key also as environment variable: QDRANT__SERVICE__HTTP_PORT=7333
or QUIVER__SERVICE__HTTP_PORT=7333.
`;
