/** The compiled kernel module, read and compiled once per thread; the only place of the kernel that reads a file. */
import { readFileSync } from 'node:fs';

let compiled: WebAssembly.Module | undefined;

/** @throws {Error} when `npm run prepare` has not built the module */
export function kernelModule(): WebAssembly.Module {
  if (compiled !== undefined) return compiled;
  const path = new URL('../build/kernel.wasm', import.meta.url);
  try {
    compiled = new WebAssembly.Module(readFileSync(path));
  } catch (cause) {
    throw new Error('packages/kernel/build/kernel.wasm does not load: run `npm run prepare`', { cause });
  }
  return compiled;
}
