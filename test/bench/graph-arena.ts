/** Rows of a data set in an arena of their own, with room for a graph behind them, for benches of the index in process. */
import { hnswBytes } from '../../packages/ann/src/index.ts';
import {
  createArena,
  createSimdKernel,
  scratchBytesPerThread,
  strideOf,
  type Metric,
  type Region,
  type Rows,
  type SimdKernel,
} from '../../packages/kernel/src/index.ts';
import type { DataSet } from './data-set.ts';

export interface StagedRows {
  readonly kernel: SimdKernel;
  readonly rows: Rows;
  /** For a graph of this shape over the rows. */
  readonly region: Region;
}

/** @param count - of the set's first rows */
export function stageRows(
  set: DataSet,
  metric: Metric,
  count: number,
  shape: Omit<Parameters<typeof hnswBytes>[0], 'count' | 'dim'>,
): StagedRows {
  const { dim } = set;
  const stride = strideOf('f32', dim);
  const { bytes } = hnswBytes({ ...shape, count, dim });
  const arena = createArena(1, stride * count + bytes, shape.threads * scratchBytesPerThread);
  const rows: Rows = { metric, element: 'f32', dim, stride, address: arena.scratchBytes };
  const target = new Float32Array(arena.memory.buffer, rows.address, (stride / 4) * count);
  for (let row = 0; row < count; row += 1)
    target.set(set.base.subarray(row * dim, (row + 1) * dim), (row * stride) / 4);
  const region = { arena: 1, offset: rows.address + stride * count, bytes };
  return { kernel: createSimdKernel(arena, 0), rows, region };
}
