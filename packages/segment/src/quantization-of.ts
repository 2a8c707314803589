/** A collection's `quantization_config` in the engine's words. Always: what leaves the codes alike gives an equal result. */
import type { Quantization } from '@quiver/ann';
import type { QuantizationConfig } from '@quiver/model';

/** Where the vectors lie (`always_ram`, `memory`) is not part of it: codes are always in memory. */
export function quantizationOf(config: QuantizationConfig | null | undefined): Quantization | null {
  if (config === null || config === undefined) return null;
  if ('scalar' in config) return { kind: 'scalar', quantile: config.scalar.quantile ?? 1 };
  if ('product' in config) return { kind: 'product', dims: productDims[config.product.compression] };
  if ('turbo' in config) return { kind: 'turbo', bits: turboBits[config.turbo.bits ?? 'bits4'] };
  const bits = binaryBits[config.binary.encoding ?? 'one_bit'];
  return { kind: 'binary', bits, queryBits: queryBitsOf(config.binary.query_encoding ?? 'default', bits) };
}

/** Elements of f32 that one byte stands for. */
const productDims = { x4: 1, x8: 2, x16: 4, x32: 8, x64: 16 } as const;
const turboBits = { bits1: 1, bits1_5: 1.5, bits2: 2, bits4: 4 } as const;
const binaryBits = { one_bit: 1, one_and_half_bits: 1.5, two_bits: 2 } as const;

function queryBitsOf(
  encoding: 'default' | 'binary' | 'scalar4bits' | 'scalar8bits',
  bits: 1 | 1.5 | 2,
): 1 | 2 | 4 | 8 {
  if (encoding === 'scalar4bits') return 4;
  if (encoding === 'scalar8bits') return 8;
  return bits === 1 ? 1 : 2;
}
