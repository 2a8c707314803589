// How crowded the distances around a query are, and how wide a beam has to be for it. Under a filter that leads away from the query
// all that passes is about as far: many rows lie within a little more than the distance of the nearest, and a beam that is
// right among them elsewhere is full before the nearest are met. Crowding is the mean of ln(farthest / each) over the nearest rows
// found (its inverse is the maximum-likelihood estimate of local intrinsic dimensionality; Levina and Bickel 2004, Amsaleg et al.
// 2015). Always: no beam becomes narrower; walks without a filter, of graphs that do not say what is usual, and by products, which are
// no distances, keep theirs.
import { CROWDING, distanceOfEstimate, MODE } from './graph';
import { distanceOf } from './key';
import { ln } from './logarithm';
import { FILTER } from './passing';

/** Widest that crowding makes a beam, by what was asked and at all: from some 200 places on little is missed. */
const FACTOR_MAX: i32 = 8;
const WIDTH_MAX: i32 = 256;
/** Nearest rows looked at. */
const LOOKED_AT: i32 = 32;
/** Distances up to so many times as crowded as is usual ask for no more places. */
const USUAL_MAX: f64 = 1.6;
/** Squares of distances that are hardly any, to the farthest one's: their logarithm would outweigh all others. */
const LEAST: f64 = 1e-6;

/** What `crowdedWidth` may answer for a beam of `width` places: the room that a walk must have for its candidates. */
export function widestOf(width: i32): i32 {
  if (FILTER == 0 || CROWDING <= 0) return width;
  return max<i32>(width, min<i32>(FACTOR_MAX * width, WIDTH_MAX));
}

/** The square of a key's distance. */
function square(key: u64): f64 {
  const distance = <f64>distanceOfEstimate(distanceOf(key)),
    metric = MODE & 3;
  if (metric == 2) return distance * distance;
  // Of rows of length one it is given as the negated product.
  return metric == 3 ? 2 + 2 * distance : distance;
}

/**
 * Places that a beam of `width` should have had: `count` keys at `keys`, nearest first, are what was found. Measured on
 * wordnet-minilm: distances twice as crowded need four times the places for the same recall.
 * @param skipped - index of a key that is no answer, -1 = none
 */
export function crowdedWidth(keys: usize, count: i32, width: i32, skipped: i32): i32 {
  const most = widestOf(width),
    looked = min<i32>(count, LOOKED_AT);
  if (most == width || looked < 4) return width;
  const farthest = square(load<u64>(keys + (<usize>(looked - 1) << 3)));
  if (!(farthest > 0)) return width;
  let product: f64 = 1,
    terms = 0;
  for (let i = 0; i < looked - 1; i++) {
    if (i == skipped) continue;
    product *= farthest / max<f64>(square(load<u64>(keys + (<usize>i << 3))), LEAST * farthest);
    terms++;
  }
  const crowding = ln(product) / (2 * <f64>terms);
  const times = crowding > 0 ? <f64>CROWDING / (USUAL_MAX * crowding) : Infinity;
  if (!(times > 1)) return width;
  return <i32>min<f64>(<f64>most, <f64>width * times * times);
}
