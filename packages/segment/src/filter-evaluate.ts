/**
 * A compiled filter over all rows of one segment, as a bitset. What columns and ids answer comes first, so that few
 * payloads are read. Always: the result holds visible rows only, and equals `check` row by row.
 */
import type { JsonObject, JsonPath, PointId } from '@quiver/model';
import { Bitset } from './bitset.ts';
import { estimateFilter } from './cardinality.ts';
import type { DecodedField, FieldCache } from './field-cache.ts';
import type { FilterNode } from './filter-node.ts';
import type { PayloadColumn } from './payload-index/column.ts';
import type { SlotColumn } from './slot-column.ts';
import type { Steps } from './steps.ts';

/** A segment as filters see it, at one commit group. */
export interface FilterSource {
  readonly rowCount: number;
  /** By canonical key; empty for plain segments. */
  readonly columns: ReadonlyMap<string, PayloadColumn>;
  /** Decoded values of keys without a column; null = read payloads anew each time. */
  readonly fields: FieldCache | null;
  readonly slots: SlotColumn;
  payload(row: number): JsonObject;
  id(row: number): PointId;
  hasVector(row: number, name: string): boolean;
  isVisible(row: number): boolean;
  /** Takes the rows that are not visible out of a set. */
  dropUnseen(rows: Bitset): Steps<void>;
  /** The visible row of a point, or -1. */
  find(id: PointId): number;
}

/**
 * Makes `out` exactly the visible rows that pass.
 * REQUIRES: out.size is at least source.rowCount and at most the words the caller reads.
 */
export function* evaluateFilter(node: FilterNode, source: FilterSource, out: Bitset): Steps<void> {
  out.clear();
  out.words.set((yield* rowsOf(node, null, source)).words);
  yield* source.dropUnseen(out);
}

/** Every row that passes, visible or not. REQUIRES: `isOfColumns`. */
export function rowsThatPass(node: FilterNode, source: FilterSource): Steps<Bitset> {
  return rowsOf(node, null, source);
}

/** Whether columns alone answer: what passes then depends on no group and on no payload. */
export function isOfColumns(node: FilterNode, source: Pick<FilterSource, 'columns' | 'rowCount'>): boolean {
  switch (node.kind) {
    case 'all':
    case 'some':
      return node.nodes.every((child) => isOfColumns(child, source));
    case 'not':
      return isOfColumns(node.node, source);
    case 'field':
      return servingColumn(node, source) !== null;
    case 'ids':
    case 'slots':
    case 'point':
      return false;
  }
}

/** A set to start from: every row where `within` is null. */
function startOf(within: Bitset | null, source: FilterSource): Bitset {
  const rows = new Bitset(source.rowCount);
  if (within === null) rows.fill();
  else rows.copyFrom(within);
  return rows;
}

/** Rows between two yields, by what one costs: a parsed payload, a test of a decoded value. */
const parsedPerStep = 128;
const testedPerStep = 8_192;
/** Share of the rows from which decoding the whole field is cheaper over a few queries than parsing what is asked. */
const decodeShare = 1 / 8;

/** The rows of `within` (null = all) that pass, as a new set. */
function rowsOf(node: FilterNode, within: Bitset | null, source: FilterSource): Steps<Bitset> {
  switch (node.kind) {
    case 'all':
      return rowsOfAll(node.nodes, within, source);
    case 'some':
      return node.minCount === 1
        ? rowsOfAny(node.nodes, within, source)
        : rowsOfSome(node.nodes, node.minCount, within, source);
    case 'not':
      return rowsOfNot(node.node, within, source);
    case 'ids':
      return rowsOfIds(node.ids, within, source);
    case 'slots':
      return rowsOfSlots(node.has, within, source);
    case 'point':
      return rowsOfPoints(node, within, source);
    case 'field':
      return rowsOfField(node, within, source);
  }
}

/** 0 = a column or ids, 1 = decoded values or facts of the point, 2 = payloads to parse. */
function costOf(node: FilterNode, source: FilterSource): 0 | 1 | 2 {
  switch (node.kind) {
    case 'ids':
      return 0;
    case 'slots':
    case 'point':
      return 1;
    case 'not':
      return costOf(node.node, source);
    case 'all':
    case 'some':
      return node.nodes.reduce<0 | 1 | 2>((worst, child) => {
        const cost = costOf(child, source);
        return cost > worst ? cost : worst;
      }, 0);
    case 'field':
      if (servingColumn(node, source) !== null) return 0;
      return source.fields?.isDecoded(node.path, source.rowCount) === true ? 1 : 2;
  }
}

function* rowsOfAll(
  nodes: readonly FilterNode[],
  within: Bitset | null,
  source: FilterSource,
): Steps<Bitset> {
  if (nodes.length === 0) return startOf(within, source);
  let found = within;
  for (const node of inOrder(nodes, source)) {
    if (found?.next(0) === -1) break;
    found = yield* rowsOf(node, found, source);
  }
  return found!;
}

/** Cheapest kind first, and of one kind those that fewest rows pass. */
function inOrder(nodes: readonly FilterNode[], source: FilterSource): readonly FilterNode[] {
  if (nodes.length === 1) return nodes;
  return nodes
    .map((node) => ({ node, cost: costOf(node, source), rows: estimateFilter(node, source).expected }))
    .sort((a, b) => a.cost - b.cost || a.rows - b.rows)
    .map(({ node }) => node);
}

function* rowsOfAny(
  nodes: readonly FilterNode[],
  within: Bitset | null,
  source: FilterSource,
): Steps<Bitset> {
  const found = new Bitset(source.rowCount);
  const rest = startOf(within, source);
  for (const node of nodes) {
    const passed = yield* rowsOf(node, rest, source);
    found.unite(passed);
    rest.subtract(passed);
  }
  return found;
}

function* rowsOfSome(
  nodes: readonly FilterNode[],
  minCount: number,
  within: Bitset | null,
  source: FilterSource,
): Steps<Bitset> {
  const found = new Bitset(source.rowCount);
  if (minCount > nodes.length) return found;
  const counts = new Uint32Array(source.rowCount);
  for (const node of nodes) {
    const passed = yield* rowsOf(node, within, source);
    for (let row = passed.next(0); row !== -1; row = passed.next(row + 1)) counts[row]! += 1;
    yield;
  }
  for (const row of startOf(within, source).rows()) if (counts[row]! >= minCount) found.add(row);
  return found;
}

function* rowsOfNot(node: FilterNode, within: Bitset | null, source: FilterSource): Steps<Bitset> {
  const passed = yield* rowsOf(node, within, source);
  const found = startOf(within, source);
  found.subtract(passed);
  return found;
}

function* rowsOfIds(ids: readonly PointId[], within: Bitset | null, source: FilterSource): Steps<Bitset> {
  const found = new Bitset(source.rowCount);
  for (const [index, id] of ids.entries()) {
    const row = source.find(id);
    if (row !== -1 && row < found.size && (within === null || within.has(row))) found.add(row);
    if (index % testedPerStep === testedPerStep - 1) yield;
  }
  return found;
}

function* rowsOfSlots(
  has: (slot: number) => boolean,
  within: Bitset | null,
  source: FilterSource,
): Steps<Bitset> {
  const slots = yield* source.slots.upTo(source.rowCount);
  return yield* rowsThat((row) => has(slots[row]!), startOf(within, source), testedPerStep);
}

function* rowsOfPoints(
  node: Extract<FilterNode, { kind: 'point' }>,
  within: Bitset | null,
  source: FilterSource,
): Steps<Bitset> {
  let current = 0;
  const point = {
    get id() {
      return source.id(current);
    },
    hasVector: (name: string) => source.hasVector(current, name),
  };
  return yield* rowsThat(
    (row) => {
      current = row;
      return node.test(point);
    },
    startOf(within, source),
    parsedPerStep,
  );
}

type FieldNode = Extract<FilterNode, { kind: 'field' }>;

/** The column that answers a field's condition. One made for another type than the filter was compiled for is out of date. */
export function servingColumn(
  node: FieldNode,
  source: Pick<FilterSource, 'columns' | 'rowCount'>,
): PayloadColumn | null {
  const column = node.schema === null ? undefined : source.columns.get(node.key);
  return column?.schema.data_type === node.schema?.data_type &&
    column?.rowCount === source.rowCount &&
    column.serves(node.condition)
    ? column
    : null;
}

function* rowsOfField(node: FieldNode, within: Bitset | null, source: FilterSource): Steps<Bitset> {
  const column = servingColumn(node, source);
  if (column !== null) {
    const found = new Bitset(source.rowCount);
    yield* column.evaluate(node.condition, found);
    if (within !== null) found.intersect(within);
    return found;
  }
  const rows = startOf(within, source);
  const decoded = yield* decodeField(node.path, rows, source);
  if (decoded !== null) return yield* rowsThat(decoded.tester(node.test), rows, testedPerStep);
  return yield* rowsThat(
    (row) => source.isVisible(row) && node.check(source.payload(row), null),
    rows,
    parsedPerStep,
  );
}

/** The decoded values of a key, unless so few rows are asked for (or so many there) that payloads are read one by one. */
export function* decodeField(
  path: JsonPath,
  within: Bitset | null,
  source: Pick<FilterSource, 'fields' | 'rowCount'>,
): Steps<DecodedField | null> {
  const { fields, rowCount } = source;
  if (fields === null) return null;
  const isWorth =
    within === null || fields.isDecoded(path, rowCount) || within.count() >= rowCount * decodeShare;
  return isWorth ? yield* fields.decode(path, rowCount) : null;
}

function* rowsThat(test: (row: number) => boolean, within: Bitset, rowsPerStep: number): Steps<Bitset> {
  const found = new Bitset(within.size);
  let work = 0;
  for (let row = within.next(0); row !== -1; row = within.next(row + 1)) {
    if (test(row)) found.add(row);
    work += 1;
    if (work % rowsPerStep === 0) yield;
  }
  return found;
}
