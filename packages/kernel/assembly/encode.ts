// Codes of one byte an element for rows of floats or halves, and the two terms of every row. Always: codes are of the row less the
// mean of the set; a row's step is its largest element / 127 (Manhattan: one step for all, larger elements are cut), or
// less where a quantile of the set's elements says that larger ones are to be cut.
import { VECTOR } from './scratch';
import { encodeProjected } from './projection';
import { isByteMode, unpackRow } from './score';
import { BLOCK_STRIDE, CODES, CODE_STRIDE, CUT, DIM, MEAN, MODE, ROWS, ROW_STRIDE, SCALE, TERMS, isProjected, linksOf, M0 } from './graph';

/** Address of a row's floats; those of shorter ones are put to VECTOR. */
function floatsOf(row: u32): usize {
  const source = ROWS + <usize>row * ROW_STRIDE;
  if (MODE < 4) return source;
  unpackRow(MODE, source, VECTOR, (DIM + 3) & ~3);
  return VECTOR;
}

function encodeFloat(row: u32): void {
  const source = floatsOf(row),
    codes = CODES + <usize>row * CODE_STRIDE,
    terms = TERMS + <usize>row * BLOCK_STRIDE;
  const metric = MODE & 3;
  let largest: f32 = 0,
    squares: f64 = 0,
    meanProduct: f64 = 0;
  for (let i: usize = 0; i < DIM; i++) {
    const mean = load<f32>(MEAN + (i << 2)),
      c = load<f32>(source + (i << 2)) - mean;
    largest = max<f32>(largest, abs<f32>(c));
    squares += <f64>c * <f64>c;
    meanProduct += <f64>mean * <f64>c;
  }
  const isCut = CUT > 0 && largest > CUT;
  if (isCut) largest = CUT;
  const step: f32 = metric == 2 ? SCALE : largest > 0 ? largest / 127 : 1;
  const inverse: f32 = 1 / step;
  for (let i: usize = 0; i < DIM; i++) {
    const c = (load<f32>(source + (i << 2)) - load<f32>(MEAN + (i << 2))) * inverse;
    store<i8>(codes + i, <i8>nearest<f32>(min<f32>(max<f32>(c, -127), 127)));
  }
  const padded = (DIM + 15) & ~15;
  memory.fill(codes + DIM, 0, padded - DIM);
  store<f32>(terms, metric == 0 ? <f32>-meanProduct : metric == 2 ? 0 : <f32>squares);
  store<f32>(terms, step, 4);
  if (isCut) correctCut(source, codes, terms, step, squares);
}

/**
 * Makes up for what cutting took of a row's length (Manhattan: of its codes' common step nothing can be changed), and notes what error is
 * left of the row, as steps of rounding.
 */
function correctCut(source: usize, codes: usize, terms: usize, step: f32, squares: f64): void {
  let fit: f64 = 0,
    rest: f64 = 0;
  for (let i: usize = 0; i < DIM; i++) {
    const c = load<f32>(source + (i << 2)) - load<f32>(MEAN + (i << 2)),
      worth = step * <f32>load<i8>(codes + i);
    fit += <f64>c * <f64>worth;
    rest += <f64>(c - worth) * <f64>(c - worth);
  }
  if (fit > 0 && (MODE & 3) != 2) store<f32>(terms, step * <f32>(squares / fit), 4);
  store<f32>(terms, <f32>sqrt((rest * 12) / <f64>DIM), 8);
}

/** Byte rows are their own codes; only the terms are needed. */
function encodeByte(row: u32): void {
  const source = ROWS + <usize>row * ROW_STRIDE,
    terms = TERMS + <usize>row * BLOCK_STRIDE;
  let squares: f64 = 0;
  for (let i: usize = 0; i < DIM; i++) {
    const value = MODE < 8 ? <f64>load<u8>(source + i) : <f64>load<i8>(source + i);
    squares += value * value;
  }
  const metric = MODE & 3;
  store<f32>(terms, metric == 1 ? <f32>squares : 0);
  store<f32>(terms, metric == 3 ? (squares > 0 ? <f32>(1 / sqrt(squares)) : 0) : 1, 4);
}

/** Encodes rows from..to-1 of the open graph; their blocks get no links and are zero elsewhere. */
export function encodeRows(from: u32, to: u32): void {
  for (let row = from; row < to; row++) {
    memory.fill(TERMS + <usize>row * BLOCK_STRIDE, 0, BLOCK_STRIDE);
    memory.fill(linksOf(0, row), 0xff, <usize>M0 << 2);
    if (isByteMode(MODE)) encodeByte(row);
    else if (isProjected) encodeProjected(row);
    else encodeFloat(row);
  }
}
