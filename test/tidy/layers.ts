/**
 * The layer table of docs/architecture.md as data: what each package may import, which heavy dependency it alone
 * owns, and whether it is pure. Changing a row here is an architecture decision (docs/adr).
 */
export interface Layer {
  /** Packages of this repository that its source may import. */
  readonly mayImport: readonly string[];
  /** Modules that only this package (and others that list them) may import. */
  readonly owns: readonly string[];
  /** No I/O, clock, randomness or process of its own. */
  readonly pure: boolean;
}

export const layers: Readonly<Record<string, Layer>> = {
  kernel: { mayImport: [], owns: [], pure: true },
  wire: { mayImport: [], owns: [], pure: true },
  model: { mayImport: [], owns: [], pure: true },
  raft: { mayImport: [], owns: [], pure: true },
  ann: { mayImport: ['kernel'], owns: [], pure: true },
  replication: { mayImport: ['model'], owns: [], pure: true },
  segment: { mayImport: ['ann', 'kernel', 'model'], owns: [], pure: true },
  env: { mayImport: [], owns: ['node:timers', 'node:crypto', 'node:worker_threads', 'koffi'], pure: false },
  storage: { mayImport: ['env', 'model'], owns: ['classic-level'], pure: false },
  rpc: {
    mayImport: ['model', 'env', 'wire'],
    owns: ['@grpc/grpc-js', '@grpc/proto-loader', '@grpc/reflection'],
    pure: false,
  },
  telemetry: { mayImport: [], owns: ['pino', 'prom-client'], pure: false },
  meta: { mayImport: ['raft', 'storage', 'rpc', 'model', 'env', 'telemetry'], owns: [], pure: false },
  shard: {
    mayImport: ['segment', 'replication', 'storage', 'rpc', 'model', 'env', 'telemetry', 'ann', 'kernel'],
    owns: [],
    pure: false,
  },
  router: {
    mayImport: ['rpc', 'wire', 'model', 'env', 'telemetry'],
    owns: ['hono', '@hono/node-server'],
    pure: false,
  },
  cli: {
    mayImport: [
      'ann',
      'env',
      'kernel',
      'meta',
      'model',
      'replication',
      'router',
      'rpc',
      'segment',
      'shard',
      'storage',
      'telemetry',
      'wire',
    ],
    owns: [],
    pure: false,
  },
};

/** Node modules and globals that a pure package may not touch. */
export const impureModules = [
  'node:fs',
  'node:fs/promises',
  'node:net',
  'node:http',
  'node:http2',
  'node:os',
  'node:child_process',
  'node:timers',
  'node:timers/promises',
  'node:crypto',
  'node:worker_threads',
  'node:process',
  'node:perf_hooks',
];
export const impureGlobals = [
  'Date',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'process',
  'performance',
  'crypto',
  'fetch',
  'Math.random',
];

/** The one file of a pure package that may read: it loads the package's own WebAssembly module at start. */
export const wasmLoaders = ['packages/kernel/src/load-wasm.ts', 'packages/wire/src/load-wasm.ts'];

export const bannedNames = ['utils', 'helpers', 'common', 'manager', 'misc'];

/** Word -> what to write instead. */
export const bannedWords: Readonly<Record<string, string>> = {
  FIXME: 'fix it, or open an issue',
  TODO: 'do it, or open an issue',
  XXX: 'say what is meant',
  HACK: 'say why it must be so',
  'console.log': 'the injected log (telemetry)',
};
