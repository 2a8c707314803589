export type { Change, CommitOptions, ReadRange, Store } from './store.ts';
