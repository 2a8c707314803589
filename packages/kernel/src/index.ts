export { arenaBytesMax, createArena, subregion } from './arena.ts';
export type { Arena, Region } from './arena.ts';
export { ArenaDirectory } from './arena-directory.ts';
export { ArenaBudgetError, ArenaPool } from './arena-pool.ts';
export type { ArenaPoolOptions, ArenaStats } from './arena-pool.ts';
export type { ByteFile, ByteFiles, ByteFileWriter, FileDigest } from './byte-file.ts';
export { maxSimKernel } from './max-sim.ts';
export type { MaxSimKernel } from './max-sim.ts';
export {
  encodeMaxSim,
  encodeMaxSimQuery,
  estimatesMax,
  maxSimCodeBytes,
  maxSimEstimator,
} from './max-sim-codes.ts';
export type { CodedMetric, MaxSimEstimator, MaxSimQueryCodes } from './max-sim-codes.ts';
export { roundToFourBits } from './four-bit.ts';
export { chunkRows, scoreRowsMax } from './kernel.ts';
export type { Kernel, ScanRange } from './kernel.ts';
export {
  distanceAtMost,
  distanceOfScore,
  elements,
  isFloat,
  isLargerNearer,
  metrics,
  modeOf,
  reportedScore,
} from './metric.ts';
export type { Element, Metric } from './metric.ts';
export { createRng } from './rng.ts';
export type { Rng } from './rng.ts';
export { accessRows } from './row-access.ts';
export type { RowAccess } from './row-access.ts';
export { decodeRow, dimMax, encodeRow, paddedDimOf, readRow, strideOf, writeRow } from './rows.ts';
export type { Rows, Visibility } from './rows.ts';
export { encodeScanCodes, hasScanCodes, scanRecordBytes } from './scan-codes.ts';
export { createScalarKernel } from './scalar.ts';
export { scratchBytesPerThread, segmentRowsMax } from './scratch.ts';
export { createSimdKernel } from './simd.ts';
export type { KernelExports, SimdKernel } from './simd.ts';
export { sparseBatchRows, sparseKernel, sparseTermsMax } from './sparse.ts';
export type { SparseKernel, SparseTerm } from './sparse.ts';
export { stagedRowsMax, takeListed, windowOf } from './staged.ts';
export type { FileRows } from './staged.ts';
export { compareScores, createTopK, foundIn, topKMax } from './top-k.ts';
export type { Found, TopK } from './top-k.ts';
