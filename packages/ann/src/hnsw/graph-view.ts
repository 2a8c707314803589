/** Reading a graph's parts through typed arrays: for the builder's last pass, checks and tests; searches never need it. */
import type { Region } from '@quiver/kernel';
import type { RecallCurve } from '../recall-curve.ts';
import { magic, projectedCodes, version } from './format.ts';
import { readPayloadLinks, type PayloadLinksView } from './payload-links-directory.ts';
import { curvesBytes, readCurves } from './recall-curves.ts';

/** What the builder measured when it chose to keep them; see `neighbour-choice.ts`. */
export interface NeighbourCodesView {
  readonly subspaces: number;
  readonly dims: number;
  readonly beamScale: number;
  /** 0 = walks have a beam. */
  readonly reach: number;
  readonly recallInt8: number;
  readonly recall: number;
}

/** Quantised rows in place of int8 codes. */
export interface QuantisedView {
  readonly kind: 'grid' | 'product';
  /** Bits an element; of a grid. */
  readonly bits: number;
  readonly isTurned: boolean;
}

/** Int8 codes of leading principal components in place of those of the elements; see `projection.ts`. */
export interface ProjectionView {
  readonly components: number;
  /** Share of the rows' variance that they have. */
  readonly explained: number;
  /** Beam of a walk for one of int8 codes. */
  readonly beamScale: number;
  /** Mean recall@10 of walks by the stored rows and by the codes, measured when the beam was chosen. */
  readonly recallRows: number;
  readonly recall: number;
}

export interface GraphView {
  readonly count: number;
  readonly dim: number;
  readonly mode: number;
  readonly m: number;
  readonly m0: number;
  readonly isComplete: boolean;
  readonly persistedBytes: number;
  readonly presentCount: number;
  /** Walks read the f32 rows, not the codes. */
  readonly walksRows: boolean;
  /** Null when the graph was built without them or they were not worth their room. */
  readonly neighbourCodes: NeighbourCodesView | null;
  readonly quantised: QuantisedView | null;
  /** Null when int8 codes are of the rows' elements. */
  readonly projection: ProjectionView | null;
  /** Recall by beam width, ascending in k; empty when it was not measured. */
  readonly curves: readonly RecallCurve[];
  /** Bytes from one row's block to the next: terms, codes, links. */
  readonly blockBytes: number;
  readonly layerCounts: readonly number[];
  /** Row r's links are the m0 words from r * linkStride on. */
  readonly links: Uint32Array;
  readonly linkStride: number;
  /** Links of a row without those that only filled free places: the first ones. Of graphs of older versions: all. */
  readonly ownLinks: (row: number) => number;
  readonly upper: Uint32Array;
  /** Taken off a row before it is encoded: f32[dim]; zeros of byte rows. */
  readonly mean: Float32Array;
  /** Length of rows less the mean, as the root of the mean square; 0 = not measured. */
  readonly spread: number;
  /** By layer - 1; u32[layerCounts[layer - 1]][m] */
  readonly upperLinks: readonly Uint32Array[];
  readonly next: Uint32Array;
  /** By field; empty when there are none. */
  readonly payloadLinks: readonly PayloadLinksView[];
}

/** Whether walks read codes of its own and never the stored rows, which may then be in a file. */
export function canLackRows({ mode, walksRows, quantised }: GraphView): boolean {
  const isByte = mode >= 4 && mode < 12;
  return quantised !== null || !(isByte || walksRows);
}

/** @throws {Error} when the region does not hold a graph of this version */
export function viewGraph(buffer: ArrayBuffer | SharedArrayBuffer, region: Region): GraphView {
  const header = new Uint32Array(buffer, region.offset, 64);
  const field = (offset: number): number => header[offset / 4]!;
  if (field(0) !== magic || field(4) !== version)
    throw new Error(`no graph at ${region.arena}:${region.offset}: magic ${field(0)}, version ${field(4)}`);
  const figures = new Float32Array(buffer, region.offset, 64);
  const figure = (offset: number): number => figures[offset / 4]!;
  const [count, m, m0, layers] = [field(8), field(20), field(24), field(40)];
  const words = (offset: number, length: number): Uint32Array =>
    new Uint32Array(buffer, region.offset + offset, length);
  const blockWords = field(52) / 4;
  const terms = words(field(48), count * blockWords);
  const layerCounts = Array.from({ length: layers }, (_, i) => field(100 + 4 * i));
  return {
    count,
    dim: field(12),
    mode: field(16),
    m,
    m0,
    isComplete: field(44) === 1,
    persistedBytes: field(80),
    presentCount: field(88),
    walksRows: field(92) === 1,
    layerCounts,
    blockBytes: field(52),
    quantised: field(224) === 0 || field(224) === projectedCodes ? null : quantisedView(field),
    projection:
      field(224) === projectedCodes
        ? {
            components: field(240),
            explained: figure(244),
            beamScale: figure(208),
            recallRows: figure(212),
            recall: figure(216),
          }
        : null,
    curves: field(252) === 0 ? [] : readCurves(new DataView(buffer, region.offset + field(252), curvesBytes)),
    links: words(field(48) + field(56), Math.max(0, (count * field(52) - field(56)) / 4)),
    linkStride: blockWords,
    ownLinks: (row) => terms[row * blockWords + 3]! || m0,
    neighbourCodes:
      field(204) === 1
        ? {
            subspaces: field(196),
            dims: field(200),
            beamScale: figure(208),
            reach: figure(152),
            recallInt8: figure(212),
            recall: figure(216),
          }
        : null,
    upper: words(field(68), field(36)),
    mean: new Float32Array(buffer, region.offset + field(76), field(12)),
    spread: figure(160),
    upperLinks: layerCounts.slice(0, -1).map((rows, i) => words(field(164 + 4 * i), rows * m)),
    next: words(field(72), count),
    payloadLinks: field(156) === 0 ? [] : readPayloadLinks(buffer, region.offset + field(156), count),
  };
}

function quantisedView(field: (offset: number) => number): QuantisedView {
  if (field(224) === 2) return { kind: 'product', bits: 8 / field(244), isTurned: false };
  return { kind: 'grid', bits: field(228) === 3 ? 1.5 : field(228), isTurned: field(236) !== 0 };
}
