/**
 * A write operation as explicit changes of single points, in order. Always: reads see every earlier change, durable or
 * pending; an operation that must be refused is refused here, before anything of it exists; a point named twice in one
 * operation is changed twice in order.
 */
import {
  deleteAtPath,
  mergeAtPath,
  mergePayload,
  parseJsonPath,
  parsePayload,
  stringifyJson,
  type JsonObject,
  type PayloadFieldSchema,
  type PointBatch,
  type PointId,
  type ResolvedOperation,
  type ResolvedTarget,
  type Vector,
  type VectorsByName,
} from '@quiver/model';
import { compileFilter, type FilterNode } from '@quiver/segment';

/** A point's content. */
export interface Point {
  /** Seq of its last change. */
  readonly version: number;
  readonly payload: Uint8Array;
  readonly vectors: VectorsByName;
}

export type PointChange =
  | {
      readonly kind: 'put';
      readonly id: PointId;
      readonly payload: Uint8Array;
      readonly vectors: VectorsByName;
      /** Names whose vectors are new; the others are stored already. */
      readonly changed: ReadonlySet<string>;
    }
  | { readonly kind: 'delete'; readonly id: PointId };

export interface Resolved {
  readonly changes: PointChange[];
  /**
   * A point that was named and is not there: as Qdrant has it, the others are changed all the same and the answer is
   * not_found.
   */
  readonly missing: PointId | null;
}

/** The newest content of a point, pending changes included; null when there is none. */
export type ReadPoint = (id: PointId) => Point | null;

const encoder = new TextEncoder();
const noPayload = new Uint8Array(0);
const unchanged: ReadonlySet<string> = new Set();

export function resolveOperation(
  operation: ResolvedOperation,
  readStored: ReadPoint,
  schema: Readonly<Record<string, PayloadFieldSchema>>,
): Resolved {
  let missing: PointId | null = null;
  const noteMissing = (id: PointId): void => {
    missing ??= id;
  };
  const changes: PointChange[] = [];
  /** What this operation itself has changed so far. */
  const own = new Map<PointId, Point | null>();
  const read: ReadPoint = (id) => (own.has(id) ? own.get(id)! : readStored(id));
  const put = (
    id: PointId,
    payload: Uint8Array,
    vectors: VectorsByName,
    changed: ReadonlySet<string> = unchanged,
  ): void => {
    changes.push({ kind: 'put', id, payload, vectors, changed });
    own.set(id, { version: Infinity, payload, vectors });
  };
  const remove = (id: PointId): void => {
    changes.push({ kind: 'delete', id });
    own.set(id, null);
  };
  const editPayload = (
    target: ResolvedTarget,
    edit: (payload: JsonObject, point: Point) => JsonObject | null,
  ): void => {
    for (const [id, point] of targeted(target, read, schema, noteMissing)) {
      const edited = edit(parsePayload(point.payload), point);
      if (edited === null) continue;
      put(
        id,
        Object.keys(edited).length === 0 ? noPayload : encoder.encode(stringifyJson(edited)),
        point.vectors,
      );
    }
  };

  switch (operation.kind) {
    case 'upsert': {
      const passes = updateCheck(operation.updateFilter, schema);
      if (operation.mode === 'upsert' && passes === null)
        return { changes: putAll(operation.points), missing };
      for (let i = 0; i < operation.points.ids.length; i += 1) {
        const id = operation.points.ids[i]!;
        const before = read(id);
        if (operation.mode === 'insert_only' && before !== null) continue;
        if (operation.mode === 'update_only' && before === null) continue;
        if (before !== null && passes !== null && !passes(id, before)) continue;
        const vectors = vectorsOf(operation.points, i);
        put(id, payloadOf(operation.points, i), vectors, new Set(vectors.keys()));
      }
      break;
    }
    case 'update_vectors': {
      const passes = updateCheck(operation.updateFilter, schema);
      for (let i = 0; i < operation.points.ids.length; i += 1) {
        const id = operation.points.ids[i]!;
        const before = read(id);
        if (before === null) {
          noteMissing(id);
          continue;
        }
        if (passes !== null && !passes(id, before)) continue;
        const vectors = vectorsOf(operation.points, i);
        put(id, before.payload, new Map([...before.vectors, ...vectors]), new Set(vectors.keys()));
      }
      break;
    }
    case 'delete':
      for (const [id] of targeted(operation.target, read, schema, () => undefined)) remove(id);
      break;
    case 'set_payload': {
      const path = operation.key === null ? null : parseJsonPath(operation.key);
      editPayload(operation.target, (payload, point) => {
        // Merging a null removes a key; where there is nothing to merge into, the payload is taken as it is.
        if (path === null && point.payload.length === 0) return operation.payload;
        if (path === null) mergePayload(payload, operation.payload);
        else mergeAtPath(payload, path, operation.payload);
        return payload;
      });
      break;
    }
    case 'overwrite_payload':
      editPayload(operation.target, () => operation.payload);
      break;
    case 'delete_payload': {
      const paths = operation.keys.map((name) => parseJsonPath(name)).filter((path) => path !== null);
      editPayload(operation.target, (payload) => {
        let isChanged = false;
        for (const path of paths) isChanged = deleteAtPath(payload, path) || isChanged;
        return isChanged ? payload : null;
      });
      break;
    }
    case 'clear_payload':
      editPayload(operation.target, (_payload, point) => (point.payload.length === 0 ? null : {}));
      break;
    case 'delete_vectors':
      for (const [id, point] of targeted(operation.target, read, schema, noteMissing)) {
        const left = new Map([...point.vectors].filter(([name]) => !operation.names.includes(name)));
        if (left.size < point.vectors.size) put(id, point.payload, left);
      }
      break;
  }
  return { changes, missing };
}

/** An upsert that takes any point: nothing is read, and nothing noted for later reads. */
function putAll(points: PointBatch): PointChange[] {
  const changes: PointChange[] = [];
  const isWhole = [...points.vectors.values()].every(({ present }) => present === null);
  const all: ReadonlySet<string> | null = isWhole ? new Set(points.vectors.keys()) : null;
  for (let i = 0; i < points.ids.length; i += 1) {
    const vectors = vectorsOf(points, i);
    const changed = all ?? new Set(vectors.keys());
    changes.push({ kind: 'put', id: points.ids[i]!, payload: payloadOf(points, i), vectors, changed });
  }
  return changes;
}

/** The points meant: those that still exist, and whose filter still holds if they changed since it was evaluated. */
function* targeted(
  target: ResolvedTarget,
  read: ReadPoint,
  schema: Readonly<Record<string, PayloadFieldSchema>>,
  noteMissing: (id: PointId) => void,
): Generator<[PointId, Point]> {
  const filter = target.filter === null ? null : compileFilter(target.filter, schema);
  for (const id of target.ids) {
    const point = read(id);
    if (point === null) {
      if (filter === null) noteMissing(id);
      continue;
    }
    if (filter !== null && point.version > target.asOf && !holds(filter, id, point)) continue;
    yield [id, point];
  }
}

function updateCheck(
  filter: Parameters<typeof compileFilter>[0] | null,
  schema: Readonly<Record<string, PayloadFieldSchema>>,
): ((id: PointId, point: Point) => boolean) | null {
  if (filter === null) return null;
  const node = compileFilter(filter, schema);
  return (id, point) => holds(node, id, point);
}

function holds(node: FilterNode, id: PointId, point: Point): boolean {
  return node.check(parsePayload(point.payload), { id, hasVector: (name) => point.vectors.has(name) });
}

function payloadOf(points: PointBatch, index: number): Uint8Array {
  const { bytes, offsets } = points.payloads;
  if (offsets.length === 0) return noPayload;
  const payload = bytes.subarray(offsets[index], offsets[index + 1]);
  // "{}" is no payload.
  return payload.length <= 2 ? noPayload : payload;
}

function vectorsOf(points: PointBatch, index: number): VectorsByName {
  const vectors = new Map<string, Vector>();
  for (const [name, column] of points.vectors) {
    if (column.present !== null && column.present[index] === 0) continue;
    if (column.kind === 'dense') {
      const { dim, values } = column;
      vectors.set(name, { kind: 'dense', values: values.subarray(index * dim, (index + 1) * dim) });
      continue;
    }
    const [from, to] = [column.offsets[index]!, column.offsets[index + 1]!];
    if (column.kind === 'sparse')
      vectors.set(name, {
        kind: 'sparse',
        indices: column.indices.subarray(from, to),
        values: column.values.subarray(from, to),
      });
    else
      vectors.set(name, {
        kind: 'multi',
        dim: column.dim,
        values: column.values.subarray(from * column.dim, to * column.dim),
      });
  }
  return vectors;
}
