/** What a build thread needs of this package, and nothing else: it has no replicas, no store and no network to load code for. */
export { createBuilder } from './builder.ts';
