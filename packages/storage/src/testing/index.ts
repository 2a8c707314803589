export { createFaultyDisk } from './faulty-engine.ts';
export type { FaultyDisk } from './faulty-engine.ts';
export { createFaultyStore } from './faulty-store.ts';
export type { FaultyStoreOptions } from './faulty-store.ts';
