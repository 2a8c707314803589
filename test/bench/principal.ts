/**
 * A set of fewer dimensions out of a real one: rows and queries less the mean of the rows, on the leading principal components of the
 * rows, at length one. Always: element i of a row belongs to the i-th component, so that the first elements hold most of it.
 */
import { normalise, type DataSet } from './data-set.ts';

/** Rows that the covariance is taken of, evenly spread. */
const sampleRows = 16_384;
const sweepsMax = 30;

export interface ProjectedSet {
  /** Of `dim` dimensions; `truth` is the whole set's, not this one's. */
  readonly set: DataSet;
  /** Share of the variance of all rows that the components have, 0..1. */
  readonly explained: number;
}

/** REQUIRES: dim <= set.dim */
export function projectOnLeading(set: DataSet, dim: number): ProjectedSet {
  const mean = meanOf(set);
  const axes = principalAxes(covarianceOf(set, mean), set.dim).slice(0, dim);
  const base = project(set.base, mean, axes);
  const queries = project(set.queries, mean, axes);
  const kept = base.reduce((sum, value) => sum + value * value, 0);
  const whole = set.base.reduce((sum, value, i) => sum + (value - mean[i % set.dim]!) ** 2, 0);
  const projected = { ...set, dim, base, queries };
  normalise(projected);
  return { set: projected, explained: kept / whole };
}

function meanOf({ base, rows, dim }: DataSet): Float64Array {
  const mean = new Float64Array(dim);
  for (let row = 0; row < rows; row += 1) for (let i = 0; i < dim; i += 1) mean[i]! += base[row * dim + i]!;
  return mean.map((sum) => sum / rows);
}

/** Float64Array[dim * dim], not divided by the count. */
function covarianceOf({ base, rows, dim }: DataSet, mean: Float64Array): Float64Array {
  const covariance = new Float64Array(dim * dim);
  const row = new Float64Array(dim);
  const count = Math.min(rows, sampleRows);
  for (let sample = 0; sample < count; sample += 1) {
    const from = Math.floor((sample * rows) / count) * dim;
    for (let i = 0; i < dim; i += 1) row[i] = base[from + i]! - mean[i]!;
    for (let i = 0; i < dim; i += 1) {
      const value = row[i]!;
      for (let j = i; j < dim; j += 1) covariance[i * dim + j]! += value * row[j]!;
    }
  }
  for (let i = 0; i < dim; i += 1)
    for (let j = 0; j < i; j += 1) covariance[i * dim + j] = covariance[j * dim + i]!;
  return covariance;
}

/** Eigenvectors, that of the largest eigenvalue first. By cyclic Jacobi rotations (Golub and Van Loan, 8.5); writes over the matrix. */
function principalAxes(matrix: Float64Array, dim: number): Float64Array[] {
  const axes = Array.from({ length: dim }, (_, i) => {
    const axis = new Float64Array(dim);
    axis[i] = 1;
    return axis;
  });
  const trace = axes.reduce((sum, _, i) => sum + matrix[i * dim + i]!, 0);
  for (let sweep = 0; sweep < sweepsMax; sweep += 1) {
    let rest = 0;
    for (let p = 0; p < dim; p += 1)
      for (let q = p + 1; q < dim; q += 1) {
        rest += matrix[p * dim + q]! ** 2;
        rotate(matrix, dim, axes, p, q);
      }
    if (Math.sqrt(rest) < 1e-9 * trace) break;
  }
  const order = axes.map((_, i) => i).sort((a, b) => matrix[b * dim + b]! - matrix[a * dim + a]!);
  return order.map((i) => axes[i]!);
}

/** The rotation of p and q that makes their element of the matrix zero. */
function rotate(matrix: Float64Array, dim: number, axes: Float64Array[], p: number, q: number): void {
  const shared = matrix[p * dim + q]!;
  if (shared === 0) return;
  const theta = (matrix[q * dim + q]! - matrix[p * dim + p]!) / (2 * shared);
  const tangent = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cosine = 1 / Math.hypot(tangent, 1);
  const sine = tangent * cosine;
  for (let i = 0; i < dim; i += 1) {
    const [a, b] = [matrix[i * dim + p]!, matrix[i * dim + q]!];
    matrix[i * dim + p] = cosine * a - sine * b;
    matrix[i * dim + q] = sine * a + cosine * b;
  }
  turn(matrix.subarray(p * dim, (p + 1) * dim), matrix.subarray(q * dim, (q + 1) * dim), cosine, sine);
  turn(axes[p]!, axes[q]!, cosine, sine);
}

function turn(first: Float64Array, second: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < first.length; i += 1) {
    const [a, b] = [first[i]!, second[i]!];
    first[i] = cosine * a - sine * b;
    second[i] = sine * a + cosine * b;
  }
}

function project(values: Float32Array, mean: Float64Array, axes: readonly Float64Array[]): Float32Array {
  const from = mean.length;
  const projected = new Float32Array((values.length / from) * axes.length);
  const row = new Float64Array(from);
  for (let at = 0, to = 0; at < values.length; at += from) {
    for (let i = 0; i < from; i += 1) row[i] = values[at + i]! - mean[i]!;
    for (const axis of axes) {
      let product = 0;
      for (let i = 0; i < from; i += 1) product += row[i]! * axis[i]!;
      projected[to++] = product;
    }
  }
  return projected;
}
