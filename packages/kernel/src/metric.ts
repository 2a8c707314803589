/**
 * The metrics: which way is nearer and what a caller is told. Always: inside the kernels a *distance* is smaller when
 * nearer (dot products negated, Euclidean squared); a *reported score* is what Qdrant reports.
 */
export type Metric = 'cosine' | 'dot' | 'euclid' | 'manhattan';

/** Stored element of a row. Rows of floats of a cosine vector are stored normalised; byte rows are stored as given. q4: four bits (four-bit.ts). */
export type Element = 'f32' | 'u8' | 'i8' | 'f16' | 'q4';

export const metrics: readonly Metric[] = ['cosine', 'dot', 'euclid', 'manhattan'];
export const elements: readonly Element[] = ['f32', 'u8', 'i8', 'f16', 'q4'];

/** True for cosine and dot, whose reported scores grow towards the query. */
export function isLargerNearer(metric: Metric): boolean {
  return metric === 'cosine' || metric === 'dot';
}

/** What a caller sees for an inner distance: dot and cosine as they are, Euclidean as the root. */
export function reportedScore(metric: Metric, distance: number): number {
  if (metric === 'euclid') return Math.fround(Math.sqrt(distance));
  return metric === 'manhattan' ? distance : 0 - distance;
}

/** Inverse of `reportedScore`, as far as f32 allows. */
export function distanceOfScore(metric: Metric, score: number): number {
  if (metric === 'euclid') return Math.fround(score * score);
  return metric === 'manhattan' ? score : 0 - score;
}

/** An inner distance that no row of that score or a better one is beyond. */
export function distanceAtMost(metric: Metric, score: number): number {
  return distanceOfScore(metric, score) * (metric === 'euclid' ? 1 + 2 ** -20 : 1);
}

/**
 * The kernels' number of a metric over an element: element * 4 + metric. The cosine of rows of floats is their product; where it is
 * estimated they are taken for rows of length one, which rows of four bits are not.
 */
export function modeOf(metric: Metric, element: Element): number {
  const isProduct = metric === 'cosine' && element === 'q4';
  const metricNumber = isProduct ? 0 : { dot: 0, euclid: 1, manhattan: 2, cosine: 3 }[metric];
  return elements.indexOf(element) * 4 + metricNumber;
}

/** Floats of whatever precision, as against integers of a byte. */
export function isFloat(element: Element): boolean {
  return element !== 'u8' && element !== 'i8';
}
