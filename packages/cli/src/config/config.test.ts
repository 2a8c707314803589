import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { builtInDefaults } from '@quiver/router';
import { applySetting, defaultsOf, describe as describeLeaf } from './check.ts';
import { collectionDefaults } from './collection-defaults.ts';
import { editDistance, nearestWord } from './did-you-mean.ts';
import { configurationMarkdown } from './document.ts';
import { ConfigError, configSchema, loadConfig } from './index.ts';
import { leaves } from './schema.ts';

/** A working directory with the given files. */
function folder(files: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'quiver-config-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'config'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  return root;
}
function problems(
  argv: string[],
  env: Record<string, string>,
  files: Record<string, string> = {},
): readonly string[] {
  try {
    loadConfig(argv, env, folder(files));
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('sources', () => {
  test('without any source the defaults hold and nothing is warned about', () => {
    const { config, warnings, origin } = loadConfig([], {}, folder());
    expect(config.service.http_port).toBe(6333);
    expect(config.storage.optimizers.indexing_threshold_kb).toBe(10_000);
    expect(warnings).toEqual([]);
    expect(origin.size).toBe(0);
  });

  test('each later source wins over those before it, key by key', () => {
    const file = (port: number, extra = ''): string => `service:\n  http_port: ${port}\n${extra}`;
    const files = {
      'config/config.yaml': file(1, '  host: one\n'),
      'config/production.yaml': file(2, '  grpc_port: 22\n'),
      'config/local.yaml': file(3, '  metrics_prefix: three\n'),
      'own.yaml': file(4, '  api_key: four\n'),
    };
    const cwd = folder(files);
    const ports = [
      loadConfig([], {}, cwd),
      loadConfig([], { RUN_MODE: 'production' }, cwd),
      loadConfig(['--config-path', 'own.yaml'], { RUN_MODE: 'production' }, cwd),
      loadConfig(['--config-path', 'own.yaml'], { QDRANT__SERVICE__HTTP_PORT: '5' }, cwd),
      loadConfig([], { QDRANT__SERVICE__HTTP_PORT: '5', quiver__service__http_port: '6' }, cwd),
    ].map((loaded) => loaded.config.service.http_port);
    expect(ports).toEqual([3, 3, 4, 5, 6]);
    const all = loadConfig(['all', '--config-path', 'own.yaml'], { RUN_MODE: 'production' }, cwd);
    expect(all.config.service).toMatchObject({
      host: 'one',
      grpc_port: 22,
      metrics_prefix: 'three',
      api_key: 'four',
    });
    expect(all.origin.get('service.api_key')).toBe('own.yaml:3');
    expect(all.origin.get('service.grpc_port')).toBe('config/production.yaml:3');
    expect(all.flags.words).toEqual(['all']);
  });

  test("variables are read as the key's type", () => {
    const env = {
      QDRANT__SERVICE__API_KEY: '12345',
      QDRANT__SERVICE__GRPC_PORT: 'null',
      QDRANT__SERVICE__ENABLE_CORS: 'FALSE',
      QDRANT__STORAGE__OPTIMIZERS__DELETED_THRESHOLD: '0.5',
      QDRANT__STORAGE__OPTIMIZERS__MAX_OPTIMIZATION_THREADS: 'Auto',
      QDRANT__STORAGE__COLLECTION__STRICT_MODE__MAX_QUERY_LIMIT: '7',
      QDRANT__STORAGE__COLLECTION__STRICT_MODE__ENABLED: 'true',
      QDRANT__STORAGE__COLLECTION__QUANTIZATION: '{"scalar":{"type":"int8"}}',
    };
    const { service, storage } = loadConfig([], env, folder()).config;
    expect([service.api_key, service.grpc_port, service.enable_cors]).toEqual(['12345', null, false]);
    expect(storage.optimizers).toMatchObject({ deleted_threshold: 0.5, max_optimization_threads: 'auto' });
    expect(storage.collection.strict_mode).toEqual({ enabled: true, max_query_limit: 7 });
    expect(storage.collection.quantization).toEqual({ scalar: { type: 'int8' } });
  });

  test('an empty file, empty groups and anchors are fine', () => {
    const files = {
      'config/config.yaml': '',
      'config/development.yaml': 'service:\nstorage: {}\n',
      'config/local.yaml': 'quiver: &q\n  build_threads: 3\n',
    };
    expect(loadConfig([], {}, folder(files)).config.quiver.build_threads).toBe(3);
  });
});

describe('refusals', () => {
  test('an unknown key is refused with what was probably meant and the line', () => {
    const files = {
      'config/local.yaml': 'service:\n  host: a\n  http_prot: 1\nstorge:\n  storage_path: x\n',
    };
    expect(problems([], {}, files)).toEqual([
      'config/local.yaml:3: unknown key `service.http_prot`; did you mean `service.http_port`?',
      'config/local.yaml:5: unknown key `storge`; did you mean `storage`?',
    ]);
    expect(problems([], { QDRANT__HTTP_PORT: '1' })).toEqual([
      'QDRANT__HTTP_PORT: unknown key `http_port`; did you mean `service.http_port`?',
    ]);
  });

  test('an inherited name is no key', () => {
    expect(problems([], { QDRANT__CONSTRUCTOR: '1', QDRANT__SERVICE____PROTO__: '1' })).toHaveLength(2);
  });

  test.each([
    [
      'service:\n  http_port: many',
      'config/local.yaml:2: `service.http_port` must be an integer from 0 to 65535, not "many"',
    ],
    [
      'service:\n  http_port: 70000',
      'config/local.yaml:2: `service.http_port` must be an integer from 0 to 65535, not 70000',
    ],
    [
      'service:\n  http_port: null',
      'config/local.yaml:2: `service.http_port` must be an integer from 0 to 65535, not null',
    ],
    ['service: 5', 'config/local.yaml:1: `service` is a group of keys, not a value'],
    ['service:\n  host: [a]', 'config/local.yaml:2: `service.host` must be text, not ["a"]'],
    ['- a', 'config/local.yaml:1: a map of keys is expected at the top'],
    ['service:\n  host: a:\n b: c: d', null],
  ])('%j is refused with file and line', (text, expected) => {
    const found = problems([], {}, { 'config/local.yaml': text });
    if (expected === null) expect(found[0]).toMatch(/^config\/local\.yaml:\d+: /);
    else expect(found).toEqual([expected]);
  });

  test('all problems are told at once', () => {
    const env = { QDRANT__LOG_LEVE: 'x', QDRANT__SERVICE__HTTP_PORT: 'x', QDRANT__SERVICE__JWT_RBAC: 'true' };
    expect(problems(['--bootstrap', 'other'], env)).toHaveLength(4);
  });

  test('a missing file after --config-path and an unknown flag are refused', () => {
    expect(problems(['--config-path', 'gone.yaml'], {})).toEqual(['gone.yaml: no such file (--config-path)']);
    expect(problems(['--confg-path', 'x'], {})).toEqual([
      'unknown flag --confg-path; did you mean --config-path?',
    ]);
  });

  test('help and version are answered whatever the configuration says', () => {
    const cwd = folder({ 'config/local.yaml': 'nonsense: 1' });
    expect(loadConfig(['--help'], {}, cwd).flags.help).toBe(true);
    expect(loadConfig(['-V'], {}, cwd).flags.version).toBe(true);
  });

  test('a promise this version cannot keep ends the start, its default does not', () => {
    expect(problems([], { QDRANT__SERVICE__ENABLE_TLS: 'true' })[0]).toContain(
      '`service.enable_tls` is not supported',
    );
    expect(
      problems([], { QDRANT__SERVICE__ENABLE_TLS: 'false', QDRANT__SERVICE__JWT_RBAC: 'false' }),
    ).toEqual([]);
  });
});

test('a key without effect is warned about when it is set to something else than its default', () => {
  const env = { QDRANT__CLUSTER__PEER_ID: '7', QDRANT__TELEMETRY_DISABLED: 'false' };
  expect(loadConfig([], env, folder()).warnings).toEqual([
    '`cluster.peer_id` (QDRANT__CLUSTER__PEER_ID) is accepted and has no effect here',
  ]);
});

test('flags of the cluster win over files and environment, and turn it on', () => {
  const env = { QUIVER__CLUSTER__NAME: 'x', QUIVER__SERVICE__HOST: '0.0.0.0' };
  const flags = ['--uri', 'http://me:6335', '--id', 'a', '--listen', '127.0.0.1:7335'];
  const { config } = loadConfig([...flags, '--bootstrap', 'http://b:6335'], env, folder());
  expect(config.cluster).toMatchObject({ enabled: true, name: 'a', advertise: 'http://me:6335' });
  expect(config.cluster.p2p.port).toBe(7335);
  expect(config.service.host).toBe('127.0.0.1');
  expect(loadConfig([], {}, folder()).config.cluster.enabled).toBe(false);
  expect(problems(['--listen', 'here'], {})[0]).toContain('host:port is expected');
});

test('defaults of new collections come from the configuration', () => {
  const env = {
    QDRANT__STORAGE__HNSW_INDEX__M: '8',
    QDRANT__STORAGE__OPTIMIZERS__INDEXING_THRESHOLD_KB: '77',
    QDRANT__STORAGE__COLLECTION__QUANTIZATION: '{"scalar":{"type":"int8"}}',
    QDRANT__STORAGE__COLLECTION__STRICT_MODE__ENABLED: 'true',
  };
  const defaults = collectionDefaults(loadConfig([], env, folder()).config);
  expect(defaults.hnsw.m).toBe(8);
  expect(defaults.optimizers.indexing_threshold).toBe(77);
  expect(defaults.quantization).toEqual({ scalar: { type: 'int8' } });
  expect(defaults.strictMode).toEqual({ enabled: true });
  expect(collectionDefaults(loadConfig([], {}, folder()).config)).toEqual(builtInDefaults);
});

describe('the schema', () => {
  test.each([...leaves(configSchema)])('the default of %s satisfies its own type', (path, leaf) => {
    const setting = { path: path.split('.'), value: leaf.default, origin: 'default', isText: false };
    expect(applySetting(configSchema, defaultsOf(configSchema), setting)).toEqual({ key: path, leaf });
    expect(describeLeaf(leaf)).not.toBe('');
  });

  test('docs/configuration.md lists every key as the schema has it', () => {
    const file = join(import.meta.dirname, '../../../../docs/configuration.md');
    expect(readFileSync(file, 'utf8')).toBe(configurationMarkdown());
  });
});

test('edit distance agrees with the textbook cases, and far words are no suggestion', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('', 'abc')).toBe(3);
  expect(nearestWord('http_prot', ['http_port', 'grpc_port'])).toBe('http_port');
  expect(nearestWord('zzzzzzzz', ['http_port'])).toBe(null);
});
