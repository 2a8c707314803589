/**
 * What a query does, segment by segment: the search is run once more, with its stages timed. Always: the plans are those of
 * the query itself, taken from the same functions; nothing here runs unless it is asked for.
 */
import type { ArenaDirectory } from '@quiver/kernel';
import type { CollectionRecord, QueryRequest, SegmentExplanation } from '@quiver/model';
import {
  Bitset,
  estimateFilter,
  evaluateFilter,
  multiSearchFacts,
  planOf,
  searchFactsOf,
  searchSegment,
  type FilterNode,
  type PassingRows,
  type SegmentReader,
  type Steps,
} from '@quiver/segment';
import { isUnindexed, nearestSearch } from './nearest.ts';
import type { OpenSegment, ReplicaView } from './replica-views.ts';

export interface ExplainOptions {
  readonly directory: ArenaDirectory;
  /** Milliseconds, with fractions. */
  readonly now: () => number;
}

export function* explainQuery(
  view: ReplicaView,
  collection: CollectionRecord,
  request: QueryRequest,
  filter: FilterNode | null,
  options: ExplainOptions,
): Steps<SegmentExplanation[]> {
  const explained: SegmentExplanation[] = [];
  for (const segment of view.segments)
    explained.push(yield* explainSegment(view, segment, { collection, request, filter }, options));
  return explained;
}

interface Asked {
  readonly collection: CollectionRecord;
  readonly request: QueryRequest;
  readonly filter: FilterNode | null;
}

function* explainSegment(
  view: ReplicaView,
  segment: OpenSegment,
  { collection, request, filter }: Asked,
  { directory, now }: ExplainOptions,
): Steps<SegmentExplanation> {
  const { reader } = segment;
  const startMs = now();
  let passing: PassingRows | null = null;
  let estimate: SegmentExplanation['filter'] = null;
  if (filter !== null) {
    const source = view.source(segment);
    // Anew, so that the time shows what it costs the first time.
    const rows = new Bitset(source.rowCount);
    yield* evaluateFilter(filter, source, rows);
    passing = { rows, count: rows.count() };
    estimate = { ...estimateFilter(filter, source), passing: passing.count };
  }
  const filteredMs = now();
  const { descriptor } = reader;
  const base = {
    segment: descriptor.id,
    kind: descriptor.kind,
    rows: reader.rowCount(),
    deletedRows: reader.deadCount(),
    fallback: null,
    ef: null,
    efFrom: null,
    filter: estimate,
    visitedNodes: 0,
    distances: { codes: 0, links: 0, exact: 0 },
    hits: 0,
  } as const;
  const filterUs = microseconds(filteredMs - startMs);
  const isLeftOut =
    request.query?.kind === 'nearest' &&
    request.params.indexedOnly &&
    isUnindexed(segment, collection, request.using);
  if (request.query?.kind !== 'nearest' || isLeftOut) {
    const plan = isLeftOut ? 'left_out' : (request.query?.kind ?? 'by_id');
    return { ...base, plan, time: { filterUs, searchUs: 0 } };
  }
  const searchedMs = now();
  const search = (yield* nearestSearch(view, directory, collection, request, filter)).search(passing, null);
  const found = yield* searchSegment(reader, directory, search, view.group);
  const time = { filterUs, searchUs: microseconds(now() - searchedMs) };
  // What pruning spared is not counted.
  if (search.vector.kind === 'sparse') return { ...base, plan: 'inverted_index', hits: found.count, time };
  const plan = planOf(reader, search);
  if (isMulti(reader, request.using)) {
    const { estimated, exact } = multiSearchFacts();
    const distances = { codes: estimated, links: 0, exact };
    return { ...base, plan: estimated > 0 ? 'scan_codes' : 'scan', distances, hits: found.count, time };
  }
  if (plan.kind === 'scan') {
    const exact = passing?.count ?? reader.rowCount() - reader.deadCount();
    const distances = { codes: 0, links: 0, exact };
    const { kind, efFrom } = plan;
    return { ...base, plan: kind, efFrom, distances, hits: found.count, time };
  }
  const facts = searchFactsOf(reader, request.using);
  return {
    ...base,
    plan: plan.kind,
    fallback: facts.hasFallenBack ? planNames[facts.walk] : null,
    ef: plan.kind === 'scan_codes' ? null : plan.ef,
    efFrom: plan.efFrom,
    visitedNodes: facts.visited,
    distances: { codes: facts.estimated, links: facts.lookedUp, exact: facts.exact },
    hits: found.count,
    time,
  };
}

function isMulti({ descriptor }: SegmentReader, name: string): boolean {
  return descriptor.schema.vectors.some((vector) => vector.name === name && vector.kind === 'multi');
}

const planNames = {
  plain: 'graph',
  filtered: 'filtered_graph',
  codes: 'scan_codes',
  linked: 'linked_graph',
} as const;

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}
