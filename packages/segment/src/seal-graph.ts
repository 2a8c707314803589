/** The graph of one vector of a segment that is being sealed: by the thread that seals it, with the help of others. */
import {
  createHnsw,
  helpHnsw,
  RowsNeededError,
  viewGraph,
  type HnswParams,
  type ReusedGraph,
} from '@quiver/ann';
import {
  scratchBytesPerThread,
  subregion,
  type ArenaDirectory,
  type Region,
  type SimdKernel,
} from '@quiver/kernel';
import { assert } from '@quiver/model';
import type { SegmentDescriptor } from './descriptor.ts';
import { linkableFields, linksShapeOf } from './linkable-fields.ts';
import type { SealProgress } from './seal.ts';
import { openSegment } from './segment-reader.ts';
import type { SegmentReader } from './segment.ts';
import type { Steps } from './steps.ts';

type GraphPlan = SegmentDescriptor['graphs'][number];

/** Rows inserted between two yields: a millisecond or two. */
const rowsPerStep = 4;

/** What a merge took a part of its rows from. */
export interface MergedInput {
  readonly input: SegmentReader;
  /** Row of the input -> row of the target, or `noRow`. */
  readonly offsets: Uint32Array;
}

/** @returns false: the rows are needed in memory, and are not there */
export function* buildGraph(
  reader: SegmentReader,
  inputs: readonly MergedInput[],
  directory: ArenaDirectory,
  graph: GraphPlan,
  seed: number,
  onProgress: (progress: SealProgress) => void,
): Steps<boolean> {
  const { kernel, region, params } = workplace(reader, directory, graph, seed);
  const reused = largestGraph(inputs, graph, params);
  const linkedFields = yield* linkableFields(reader, graph);
  const builder = createHnsw(kernel, region, { ...params, reused, linkedFields });
  for (;;) {
    try {
      const isComplete = builder.step(rowsPerStep);
      const { done, total, isShared } = builder;
      onProgress({ stage: 'graph', done, total, shared: isShared ? graph.vector : null });
      if (isComplete) return true;
    } catch (error) {
      if (error instanceof RowsNeededError) return false;
      throw error;
    }
    yield;
  }
}

/**
 * Another thread's help with a graph that its builder said is shared. Always: it touches the target until it ends or is ended
 * (`return`), and may do nothing at all.
 * @param seed - as `buildSealed` has it
 */
export function* helpGraph(
  target: SegmentDescriptor,
  directory: ArenaDirectory,
  vector: string,
  seed: number,
): Steps<void> {
  const graph = target.graphs.find((plan) => plan.vector === vector);
  assert(graph !== undefined, `help with a graph of vector "${vector}", which gets none`);
  const { kernel, region, params } = workplace(openSegment(target, directory), directory, graph, seed);
  yield* helpHnsw(kernel, region, params);
}

/** The graph to go on from: of the input with most rows, when it was built as this one is to be. */
function largestGraph(
  inputs: readonly MergedInput[],
  { vector, m, efConstruct }: GraphPlan,
  { rows }: HnswParams,
): ReusedGraph | null {
  const [largest] = [...inputs].sort((a, b) => b.input.rowCount() - a.input.rowCount());
  if (largest === undefined) return null;
  const { descriptor, views } = largest.input;
  const plan = descriptor.graphs.find((one) => one.vector === vector);
  const view = views.vectors.find(({ schema }) => schema.name === vector);
  if (plan === undefined || view?.kind !== 'dense') return null;
  const { metric, dim } = view.rows;
  if (m === 0 || plan.m !== m || plan.efConstruct < efConstruct || metric !== rows.metric || dim !== rows.dim)
    return null;
  const graph = viewGraph(views.memory.buffer, subregion(descriptor.core, plan.offset, plan.bytes));
  return { graph, rowOf: largest.offsets };
}

function workplace(
  { descriptor, views }: SegmentReader,
  directory: ArenaDirectory,
  graph: GraphPlan,
  seed: number,
): { readonly kernel: SimdKernel; readonly region: Region; readonly params: HnswParams } {
  const view = views.vectors.find(({ schema }) => schema.name === graph.vector);
  assert(view?.kind === 'dense', `graph of vector "${graph.vector}", which is not dense`);
  const { core } = descriptor;
  const params: HnswParams = {
    rows: view.rows,
    file: view.file,
    count: descriptor.capacityRows,
    m: Math.max(2, graph.m),
    isUnlinked: graph.m === 0,
    threads: directory.arena(core.arena).scratchBytes / scratchBytesPerThread,
    efConstruct: graph.efConstruct,
    seed,
    present: view.presentAddress,
    neighbourCodes: graph.neighbourCodes,
    ...(graph.m === 0 && { projection: 'never' as const }),
    quantization: graph.quantization,
    payloadLinks: linksShapeOf(graph.payloadLinks),
  };
  const region = subregion(core, graph.offset, graph.bytes);
  return { kernel: directory.kernel(core.arena), region, params };
}
