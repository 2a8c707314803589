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
  readonly telemetryDisabled: boolean;
  /** What is not a flag: the role (`all`), a command. */
  readonly words: readonly string[];
}

const options = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  'config-path': { type: 'string' },
  uri: { type: 'string' },
  bootstrap: { type: 'string' },
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
    uri: values.uri ?? env['QDRANT_URI'] ?? null,
    bootstrap: values.bootstrap ?? env['QDRANT_BOOTSTRAP'] ?? null,
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

  ROLE                 all (default): everything in one process

  --config-path FILE   a configuration file that wins over those in ./config
  --uri URL            address other nodes would reach this one at (accepted; this version is one node)
  --bootstrap URL      a node to join (refused; this version is one node)
  --disable-telemetry  accepted; nothing is ever sent to anyone
  --help, -h           this text
  --version, -V        the version

Configuration: docs/configuration.md. Any key also as environment variable: QDRANT__SERVICE__HTTP_PORT=7333
or QUIVER__SERVICE__HTTP_PORT=7333.
`;
