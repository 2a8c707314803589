/**
 * The last stage of a graph whose codes were asked for: what they need is drawn or trained, then every block gets codes of
 * that kind in place of the int8 codes that the graph was built over, and shrinks. Always: links stay as they are; the answer
 * depends on the rows and the seed only.
 */
import { createRng, type Region, type RowAccess, type SimdKernel } from '@quiver/kernel';
import { isTurned, stretchesOf, type Quantization, type Requantization } from '../quantization.ts';
import { clearMarks, type HnswParams } from './build.ts';
import { persistedBytesOf, type HnswLayout } from './format.ts';
import { movePayloadLinks } from './payload-links.ts';

const rowsPerStep = 32;
const codewords = 256;
/** Eighty rows a codeword: forty cost x64 a point of recall. */
const samplesMax = 20_480;
/** Bounds the samples of long vectors: 32 MiB of f32. */
const sampleElementsMax = 8 << 20;
const rounds = 12;

/** REQUIRES: the graph is whole and its blocks lie as `layout.plain`. */
export function* quantiseGraph(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams & { readonly quantization: Requantization },
  layout: HnswLayout,
  isPresent: (row: number) => boolean,
  access: RowAccess,
  openRows: (from: number, to: number) => void,
): Generator<undefined, void, undefined> {
  const { count, m, quantization, rows } = params;
  const { buffer } = kernel.arena.memory;
  const header = new Uint32Array(buffer, region.offset, 64);
  writeKind(header, quantization, layout, rows.dim, rows.metric === 'manhattan');
  if (isTurned(quantization)) drawSigns(buffer, region.offset + layout.trained, rows.dim, params.seed);
  if (quantization.kind === 'product')
    yield* trainCodewords(
      kernel,
      region.offset + layout.trained,
      params,
      quantization.dims,
      isPresent,
      openRows,
    );
  const { plain, quantised } = layout;
  const step = Math.min(rowsPerStep, access.windowMax);
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    openRows(from, to);
    kernel.exports.quantiseRows(
      from,
      to,
      plain.stride,
      plain.links,
      quantised.stride,
      quantised.links,
      8 * m,
    );
    yield;
  }
  header.set([quantised.stride, quantised.links], 52 / 4);
  // Whether int8 codes could tell neighbours apart says nothing of these.
  header[92 / 4] = 0;
  const blocksEnd = layout.blocks + quantised.stride * count;
  const linksStart = persistedBytesOf(layout, quantised, count);
  new Uint8Array(buffer, region.offset + blocksEnd, linksStart - blocksEnd).fill(0);
  const persistedBytes = movePayloadLinks(buffer, region, linksStart);
  clearMarks(buffer, region, persistedBytes, params);
}

const kinds = { binary: 1, turbo: 1, product: 2 } as const;

function writeKind(
  header: Uint32Array,
  quantization: Requantization,
  layout: HnswLayout,
  dim: number,
  isManhattan: boolean,
): void {
  header[224 / 4] = kinds[quantization.kind];
  if (quantization.kind === 'product') {
    header[236 / 4] = layout.trained;
    header.set([stretchesOf(quantization.dims, dim), quantization.dims], 240 / 4);
    return;
  }
  header[228 / 4] = quantization.bits === 1.5 ? 3 : quantization.bits;
  header[232 / 4] = quantization.kind === 'binary' ? quantization.queryBits : 8;
  // Sums of differences do not survive a rotation.
  header[236 / 4] = isTurned(quantization) && !isManhattan ? layout.trained : 0;
}

/** Every kind but scalar is in the header; that one is the int8 codes of every graph, cut where it says so. */
export function cutOf(quantization: Quantization | null, sample: () => Float32Array): number {
  if (quantization?.kind !== 'scalar' || quantization.quantile >= 1) return 0;
  const magnitudes = sample().sort();
  const at = Math.ceil(magnitudes.length * quantization.quantile) - 1;
  return magnitudes[Math.max(0, at)] ?? 0;
}

function drawSigns(
  buffer: ArrayBuffer | SharedArrayBuffer,
  address: number,
  dim: number,
  seed: number,
): void {
  const rng = createRng((seed ^ 0x1b87_3593) >>> 0);
  const signs = new Float32Array(buffer, address, 4 * Math.ceil(dim / 64) * 64);
  for (let i = 0; i < signs.length; i += 1) signs[i] = rng.u32() < 2 ** 31 ? 1 : -1;
}

/** Codewords of every stretch by k-means (Lloyd's algorithm) over a sample of rows less their mean. */
function* trainCodewords(
  kernel: SimdKernel,
  address: number,
  params: HnswParams,
  dims: number,
  isPresent: (row: number) => boolean,
  openRows: (from: number, to: number) => void,
): Generator<undefined, void, undefined> {
  const { dim } = params.rows;
  const stretches = stretchesOf(dims, dim);
  const width = stretches * dims;
  const { buffer } = kernel.arena.memory;
  const book = new Float32Array(buffer, address, codewords * width);
  book.fill(0);
  const rng = createRng((params.seed ^ 0x7f4a_7c15) >>> 0);
  const picked = pickRows(
    params.count,
    Math.min(samplesMax, Math.ceil(sampleElementsMax / width)),
    isPresent,
  );
  if (picked.length === 0) return;
  const samples = new Float32Array(picked.length * width);
  for (const [index, row] of picked.entries()) {
    if (index % rowsPerStep === 0) yield;
    openRows(row, row + 1);
    kernel.exports.encodeAlone(row);
    samples.set(new Float32Array(buffer, kernel.vectorAddress, width), index * width);
  }
  /** Puts a sample's piece in the place of a codeword. */
  const place = (stretch: number, word: number, sample: number): void => {
    for (let i = 0; i < dims; i += 1)
      book[(stretch * dims + i) * codewords + word] = samples[sample * width + stretch * dims + i]!;
  };
  for (let stretch = 0; stretch < stretches; stretch += 1)
    for (let word = 0; word < codewords; word += 1) place(stretch, word, rng.below(picked.length));
  const sums = new Float64Array(codewords * width);
  const sizes = new Uint32Array(codewords * stretches);
  for (let round = 0; round < rounds; round += 1) {
    sums.fill(0);
    sizes.fill(0);
    for (const [index, row] of picked.entries()) {
      if (index % rowsPerStep === 0) yield;
      openRows(row, row + 1);
      const codes = new Uint8Array(buffer, kernel.exports.encodeAlone(row), stretches);
      for (let stretch = 0; stretch < stretches; stretch += 1) {
        const word = codes[stretch]!;
        sizes[stretch * codewords + word]! += 1;
        for (let i = stretch * dims; i < (stretch + 1) * dims; i += 1)
          sums[i * codewords + word]! += samples[index * width + i]!;
      }
    }
    for (let stretch = 0; stretch < stretches; stretch += 1)
      for (let word = 0; word < codewords; word += 1) {
        const size = sizes[stretch * codewords + word]!;
        if (size === 0) place(stretch, word, rng.below(picked.length));
        else
          for (let i = stretch * dims; i < (stretch + 1) * dims; i += 1)
            book[i * codewords + word] = sums[i * codewords + word]! / size;
      }
  }
}

/** Rows spread evenly over the set. */
function pickRows(count: number, wanted: number, isPresent: (row: number) => boolean): number[] {
  const picked: number[] = [];
  const stride = Math.max(1, count / wanted);
  for (let at = 0; at < count; at += stride) if (isPresent(Math.floor(at))) picked.push(Math.floor(at));
  return picked;
}
