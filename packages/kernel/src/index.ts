export type { Arena, Region } from './arena.ts';
