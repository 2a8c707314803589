/** What each shard is to change of a write. Pure. */
import {
  ClusterError,
  ownerOf,
  type PointBatch,
  type PointId,
  type PointsOperation,
  type PointTarget,
  type ShardRecord,
  type VectorColumn,
} from '@quiver/model';

/** What each shard has to do of an operation, in shard order. */
export function splitOperation(
  shards: readonly ShardRecord[],
  operation: PointsOperation,
): { shard: ShardRecord; operation: PointsOperation }[] {
  if (shards.length === 1) return [{ shard: shards[0]!, operation }];
  switch (operation.kind) {
    case 'upsert':
    case 'update_vectors':
      return [...rowsByShard(shards, operation.points.ids)].map(([shard, rows]) => ({
        shard,
        operation: { ...operation, points: pickRows(operation.points, rows) },
      }));
    default:
      return splitTarget(shards, operation.target).map(({ shard, target }) => ({
        shard,
        operation: { ...operation, target },
      }));
  }
}

function splitTarget(
  shards: readonly ShardRecord[],
  target: PointTarget,
): { shard: ShardRecord; target: PointTarget }[] {
  if (target.kind === 'filter') return shards.map((shard) => ({ shard, target }));
  return [...rowsByShard(shards, target.ids)].map(([shard, rows]) => ({
    shard,
    target: { kind: 'ids', ids: rows.map((row) => target.ids[row]!) },
  }));
}

function rowsByShard(shards: readonly ShardRecord[], ids: readonly PointId[]): Map<ShardRecord, number[]> {
  const rows = new Map<ShardRecord, number[]>();
  for (const [row, id] of ids.entries()) {
    const owner = ownerOf(shards, id);
    if (owner === undefined) throw new ClusterError('unavailable', `no shard owns point ${id}`);
    append(rows, owner, row);
  }
  return rows;
}

/** The given rows of a batch as a batch of their own. */
export function pickRows(points: PointBatch, rows: readonly number[]): PointBatch {
  const ids = rows.map((row) => points.ids[row]!);
  const vectors = new Map<string, VectorColumn>();
  for (const [name, column] of points.vectors) vectors.set(name, pickColumn(column, rows));
  const { bytes, offsets } = points.payloads;
  if (offsets.length === 0) return { ids, vectors, payloads: points.payloads };
  const payloads = pickRuns(bytes, offsets, rows, 1);
  return { ids, vectors, payloads: { bytes: payloads.values, offsets: payloads.offsets } };
}

function pickColumn(column: VectorColumn, rows: readonly number[]): VectorColumn {
  const present = column.present === null ? null : Uint8Array.from(rows, (row) => column.present![row]!);
  switch (column.kind) {
    case 'dense': {
      const { dim, values } = column;
      const picked = new Float32Array(rows.length * dim);
      for (const [to, row] of rows.entries())
        picked.set(values.subarray(row * dim, (row + 1) * dim), to * dim);
      return { kind: 'dense', dim, values: picked, present };
    }
    case 'sparse': {
      const { offsets, values: indices } = pickRuns(column.indices, column.offsets, rows, 1);
      const { values } = pickRuns(column.values, column.offsets, rows, 1);
      return { kind: 'sparse', offsets, indices, values, present };
    }
    case 'multi': {
      const { offsets, values } = pickRuns(column.values, column.offsets, rows, column.dim);
      return { kind: 'multi', dim: column.dim, offsets, values, present };
    }
  }
}

/** Runs `offsets[i]..offsets[i+1]` (in elements of `width` values) of the rows given, put together. */
function pickRuns<T extends Float32Array | Uint32Array | Uint8Array>(
  values: T,
  offsets: Uint32Array,
  rows: readonly number[],
  width: number,
): { values: T; offsets: Uint32Array } {
  const picked = new Uint32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) picked[i + 1] = picked[i]! + offsets[row + 1]! - offsets[row]!;
  const out = new (values.constructor as new (length: number) => T)(picked[rows.length]! * width);
  for (const [i, row] of rows.entries())
    out.set(values.subarray(offsets[row]! * width, offsets[row + 1]! * width), picked[i]! * width);
  return { values: out, offsets: picked };
}

function append<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}
