/** The compiled wire module, read and compiled once per thread; the only place of the package that reads a file. */
import { readFileSync } from 'node:fs';

export interface WireExports {
  beginScan(
    body: number,
    length: number,
    text: number,
    floats: number,
    vectorTable: number,
    payloadTable: number,
    hards: number,
    header: number,
    cutPayloads: number,
  ): void;
  /** Goes on for about so many bytes. Length of the text, or below 0: see scan.ts. */
  scanOn(bytes: number): number;
  numbersOnly(at: number, out: number, hards: number, counts: number): number;
  payloadEnd(at: number, limit: number, depth: number): number;
  powerTable(): number;
  putFloat(at: number, value: number): number;
  putFloats(at: number, values: number, count: number): number;
}

export interface WireInstance {
  readonly exports: WireExports;
  readonly memory: WebAssembly.Memory;
}

/** Memory below this address belongs to the module. */
export const areaStart = 65_536;
const pageBytes = 65_536;
const powerFirst = -31;
const powerLast = 46;

let compiled: WebAssembly.Module | undefined;
let powers: BigUint64Array | undefined;

/** An instance with a memory of its own, at least `bytes` long. @throws {Error} when the module is not built */
export function instantiateWire(bytes: number): WireInstance {
  compiled ??= compile();
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const exports = instance.exports as unknown as WireExports;
  powers ??= powerTable();
  new BigUint64Array(memory.buffer, exports.powerTable(), powers.length).set(powers);
  return { exports, memory };
}

/** Grows the memory so that it has at least `bytes`; views over it are then detached. */
export function ensureMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
}

function compile(): WebAssembly.Module {
  const path = new URL('../build/wire.wasm', import.meta.url);
  try {
    return new WebAssembly.Module(readFileSync(path));
  } catch (cause) {
    throw new Error('packages/wire/build/wire.wasm does not load: run `npm run prepare`', { cause });
  }
}

/** The top 64 bits of 10^k, rounded up, for the shortest decimals (Giulietti 2020, "The Schubfach way"). */
function powerTable(): BigUint64Array {
  const table = new BigUint64Array(powerLast - powerFirst + 1);
  for (let k = powerFirst; k <= powerLast; k += 1) table[k - powerFirst] = topBits(k);
  return table;
}

function topBits(k: number): bigint {
  if (k >= 0) {
    const power = 10n ** BigInt(k);
    const shift = power.toString(2).length - 64;
    return shift <= 0 ? power << BigInt(-shift) : (power + (1n << BigInt(shift)) - 1n) >> BigInt(shift);
  }
  const divisor = 10n ** BigInt(-k);
  const bits = divisor.toString(2).length;
  const quotient = (shift: number): bigint => ((1n << BigInt(shift)) + divisor - 1n) / divisor;
  const top = quotient(63 + bits);
  return top >> 64n === 0n ? top : quotient(62 + bits);
}
