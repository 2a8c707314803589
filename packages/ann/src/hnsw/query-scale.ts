/**
 * How much longer or shorter a query of products is asked. Codes are of the query less the mean of the rows: of a query much shorter
 * than the mean, rounding leaves only the mean, and neighbour codes are for queries that are as far from the mean as rows. The order of products does
 * not change with the query's length, and a power of two changes no digit of a score.
 */
import { isFloat, type Rows } from '@quiver/kernel';

/**
 * A query with a cosine to the mean of this or more is asked as long as makes it least when the mean is taken off, but as long as rows are
 * less the mean.
 */
const alongMin = 0.5;
/** Any other at this many times the mean's length at least, and at that of rows. */
const meanLengths = 4;
/** Of the mean and of rows less it; products with a query as long as a longer one might not fit a float. */
const lengthMax = 2 ** 20;

/**
 * What a query is multiplied by: a power of two, 1 where its length is within a factor of two of what it should be.
 * @param mean - taken off rows and query before they are encoded
 * @param spread - length of rows less the mean, as the root of the mean square; 0 = not known, then nothing is scaled
 */
export function queryScaling(
  { metric, element }: Pick<Rows, 'metric' | 'element'>,
  mean: Float32Array,
  spread: number,
): (query: Float32Array) => number {
  // Bytes are asked for by bytes.
  if (!isFloat(element)) return () => 1;
  // Queries of cosines have length one, but those that are too short to be brought to it.
  if (metric === 'cosine') return (query) => powerOfTwo(1 / lengthOf(query));
  if (metric !== 'dot' || !(spread > 0 && spread < lengthMax)) return () => 1;
  const meanLength = lengthOf(mean);
  if (!(meanLength < lengthMax)) return () => 1;
  return (query) => {
    const length = lengthOf(query);
    const cosine = meanLength > 0 ? product(query, mean) / (length * meanLength) : 0;
    if (cosine >= alongMin) return powerOfTwo(Math.max(meanLength / cosine, spread) / length);
    return Math.max(1, powerOfTwo(Math.max(meanLengths * meanLength, spread) / length));
  };
}

/** The nearest one; 1 for what is neither half nor double. */
function powerOfTwo(scale: number): number {
  if (!(scale > 0 && scale < Infinity) || (scale > 0.5 && scale < 2)) return 1;
  return 2 ** Math.round(Math.log2(scale));
}

function lengthOf(vector: Float32Array): number {
  return Math.sqrt(product(vector, vector));
}

function product(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}
