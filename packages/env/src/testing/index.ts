export { createVirtualEnv } from './virtual-env.ts';
export type { VirtualEnv, VirtualEnvOptions } from './virtual-env.ts';
