/**
 * How large the next head is: as large as what is about to be written, small for small collections, then four times the last,
 * up to limits. Pure.
 */
const rowsFirst = 64;
const rowsMax = 65_536;
const blobBytesPerRowMin = 64;
/** Of a head's blob only whole ones of these are used. */
const blobAlignment = 64;

export interface HeadSize {
  readonly rows: number;
  readonly blobBytes: number;
}

export interface HeadNeeds {
  /** Capacity of the head before, 0 = none. */
  readonly rowsBefore: number;
  /** About to be written, as far as it is known. */
  readonly rowsExpected: number;
  /** Dense bytes of a row. */
  readonly rowVectorBytes: number;
  /** Blob bytes of the rows to come, on average. */
  readonly rowBlobBytes: number;
  /** Of the row that must fit. */
  readonly blobBytesNeeded: number;
  /** Of the head's dense rows, and of its blob: what memory allows. */
  readonly bytesMax: number;
}

export function nextHeadSize(needs: HeadNeeds): HeadSize {
  const { rowsBefore, rowsExpected, rowVectorBytes, rowBlobBytes, blobBytesNeeded, bytesMax } = needs;
  const byVectors = Math.max(16, Math.floor(bytesMax / Math.max(1, rowVectorBytes)));
  const rows = Math.min(rowsMax, byVectors, Math.max(rowsFirst, rowsExpected, rowsBefore * 4));
  const blob = Math.ceil(rows * Math.max(blobBytesPerRowMin, rowBlobBytes * 1.25));
  const blobBytes = Math.max(Math.min(blob, 4 * bytesMax), blobBytesNeeded);
  return { rows, blobBytes: Math.ceil(blobBytes / blobAlignment) * blobAlignment };
}
