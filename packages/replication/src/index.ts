export { createPrimary } from './primary.ts';
export type { Primary, PrimaryState } from './primary.ts';
export type { Effect } from './effect.ts';
export type { Input } from './input.ts';
