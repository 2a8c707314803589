export type { Env } from './env.ts';
