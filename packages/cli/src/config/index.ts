export { collectionDefaults } from './collection-defaults.ts';
export { ConfigError } from './config-error.ts';
export { parseFlags, usage, type Flags } from './flags.ts';
export { configSchema, type Config } from './keys.ts';
export { loadConfig, type LoadedConfig } from './load.ts';
