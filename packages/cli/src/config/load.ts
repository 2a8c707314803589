/**
 * Loads the configuration: defaults, `config/config.yaml`, `config/$RUN_MODE.yaml`, `config/local.yaml`,
 * `--config-path`, `QDRANT__*`, `QUIVER__*`; later wins, key by key. Paths are relative to `cwd`.
 * Always: every problem is reported at once, with file and line; nothing unknown is passed over.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { applySetting, defaultsOf } from './check.ts';
import { ConfigError } from './config-error.ts';
import { parseFlags, type Flags } from './flags.ts';
import { configSchema, type Config } from './keys.ts';
import { envSettings, yamlSettings, type Setting } from './source.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** One line each, for the log at start. */
  readonly warnings: readonly string[];
  /** Key by dots -> where its value came from; keys at their default are absent. */
  readonly origin: ReadonlyMap<string, string>;
  readonly flags: Flags;
}

/**
 * @param argv - without the interpreter and the script
 * @throws ConfigError
 */
export function loadConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): LoadedConfig {
  const flags = parseFlags(argv, env);
  // Help must come also where the configuration is what is wrong.
  if (flags.help || flags.version) {
    const config = defaultsOf(configSchema) as unknown as Config;
    return { config, warnings: [], origin: new Map(), flags };
  }
  const problems: string[] = [];
  const settings: Setting[] = [];
  const readFile = (file: string, required: boolean): void => {
    const path = resolve(cwd, file);
    if (!existsSync(path)) {
      if (required) problems.push(`${file}: no such file (--config-path)`);
      return;
    }
    const read = yamlSettings(readFileSync(path, 'utf8'), file);
    settings.push(...read.settings);
    problems.push(...read.problems);
  };
  const runMode = env['RUN_MODE'] ?? 'development';
  for (const name of ['config', runMode, 'local']) readFile(join('config', `${name}.yaml`), false);
  if (flags.configPath !== null) readFile(flags.configPath, true);
  settings.push(...envSettings(env, 'QDRANT'), ...envSettings(env, 'QUIVER'));

  const tree = defaultsOf(configSchema);
  const origin = new Map<string, string>();
  const unused = new Map<string, string>();
  const refused = new Map<string, string>();
  for (const setting of settings) {
    const applied = applySetting(configSchema, tree, setting);
    if (applied === null) continue;
    if (typeof applied === 'string') {
      problems.push(`${setting.origin}: ${applied}`);
      continue;
    }
    const { key, leaf } = applied;
    origin.set(key, setting.origin);
    const same = sameValue(valueAt(tree, key), leaf.default);
    const note = same ? null : setting.origin;
    if (leaf.status === 'accepted') remember(unused, key, note);
    if (leaf.status === 'refused') remember(refused, key, note);
  }
  for (const [key, where] of refused)
    problems.push(`${where}: \`${key}\` is not supported by this version; ${reasons[key] ?? 'remove it'}`);
  problems.push(...applyFlags(flags, tree as unknown as Config, origin));
  if (problems.length > 0) throw new ConfigError(problems);

  const warnings = [...unused].map(
    ([key, where]) => `\`${key}\` (${where}) is accepted and has no effect here`,
  );
  return { config: tree as unknown as Config, warnings, origin, flags };
}

/** Flags win over everything. `--uri` or `--bootstrap` make a role `all` a node of a cluster, as in Qdrant. */
function applyFlags(flags: Flags, config: Config, origin: Map<string, string>): string[] {
  const problems: string[] = [];
  const cluster = config.cluster as { -readonly [K in keyof Config['cluster']]: Config['cluster'][K] };
  const p2p = config.cluster.p2p as { port: number | null };
  const service = config.service as { host: string };
  const set = <K extends keyof typeof cluster>(key: K, flag: string, value: (typeof cluster)[K]): void => {
    cluster[key] = value;
    origin.set(`cluster.${key}`, flag);
  };
  if (flags.uri !== null) set('advertise', '--uri', flags.uri);
  if (flags.uri !== null || flags.bootstrap !== null) set('enabled', '--uri', true);
  if (flags.id !== null) set('name', '--id', flags.id);
  if (flags.peers !== null) set('peers', '--peers', flags.peers);
  if (flags.meta !== null) set('meta', '--meta', flags.meta);
  if (flags.listen !== null) {
    const parts = /^(.*):(\d{1,5})$/.exec(flags.listen);
    if (parts === null) problems.push(`--listen ${flags.listen}: host:port is expected, as 0.0.0.0:6335`);
    else {
      service.host = parts[1]!;
      p2p.port = Number(parts[2]);
    }
  }
  for (const [name, uri] of [
    ['--uri', flags.uri],
    ['--bootstrap', flags.bootstrap],
  ] as const)
    if (uri !== null && !URL.canParse(uri))
      problems.push(`${name} ${uri}: an address as http://host:6335 is expected`);
  return problems;
}

/** What to do instead of a refused key. */
const reasons: Readonly<Record<string, string>> = {
  'service.enable_tls': 'put a TLS proxy in front, and remove it',
  'service.jwt_rbac': 'use api_key and read_only_api_key, and remove it',
};

function remember(into: Map<string, string>, key: string, origin: string | null): void {
  if (origin === null) into.delete(key);
  else into.set(key, origin);
}

function valueAt(tree: Record<string, unknown>, key: string): unknown {
  let value: unknown = tree;
  for (const part of key.split('.')) value = (value as Record<string, unknown>)[part];
  return value;
}

function sameValue(value: unknown, original: unknown): boolean {
  return value === original || (value === false && original === null);
}
