/** How large the next head is: small for small collections, then four times the last, up to limits. Pure. */
const rowsFirst = 64;
const rowsMax = 65_536;
const blobBytesPerRowMin = 64;

export interface HeadSize {
  readonly rows: number;
  readonly blobBytes: number;
}

/**
 * @param rowsBefore - capacity of the head before, 0 = none
 * @param rowVectorBytes - dense bytes of a row
 * @param rowBlobBytes - blob bytes of the rows to come, on average
 * @param blobBytesNeeded - of the row that must fit
 * @param bytesMax - of the head's dense rows, and of its blob: what memory allows
 */
export function nextHeadSize(
  rowsBefore: number,
  rowVectorBytes: number,
  rowBlobBytes: number,
  blobBytesNeeded: number,
  bytesMax: number,
): HeadSize {
  const byVectors = Math.max(16, Math.floor(bytesMax / Math.max(1, rowVectorBytes)));
  const rows = Math.min(rowsMax, byVectors, Math.max(rowsFirst, rowsBefore * 4));
  const blob = Math.ceil(rows * Math.max(blobBytesPerRowMin, rowBlobBytes * 1.25));
  return { rows, blobBytes: Math.max(Math.min(blob, 4 * bytesMax), blobBytesNeeded) };
}
