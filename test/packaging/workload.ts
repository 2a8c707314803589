/**
 * What the packaging tests upload and search: points of one collection, compared with an exact scan in this process.
 * Vectors are small integers, so that every score is exact in 32 bits.
 */
import { QdrantClient } from '@qdrant/js-client-rest';

const dim = 8;
const limit = 10;
const batchPoints = 200;

export interface Workload {
  readonly collection: string;
  readonly count: number;
}

export function connect(url: string): QdrantClient {
  return new QdrantClient({ url, checkCompatibility: false, timeout: 30_000 });
}

/** Mixes the bits of id and axis (a fixed function: the expected answers need no memory of what was uploaded). */
function component(id: number, axis: number): number {
  let h = Math.imul(id * dim + axis + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return ((h ^ (h >>> 13)) >>> 0) % 64;
}

function vectorOf(id: number): number[] {
  return Array.from({ length: dim }, (_, axis) => component(id, axis));
}

export async function createCollection(
  client: QdrantClient,
  collection: string,
  settings: { shard_number?: number; replication_factor?: number } = {},
): Promise<void> {
  await client.createCollection(collection, { vectors: { size: dim, distance: 'Dot' }, ...settings });
}

/** Uploads points `from`..`to` - 1, each batch waited for. */
export async function upload(
  client: QdrantClient,
  collection: string,
  from: number,
  to: number,
): Promise<void> {
  for (let first = from; first < to; first += batchPoints) {
    const ids = Array.from({ length: Math.min(batchPoints, to - first) }, (_, i) => first + i);
    const points = ids.map((id) => ({ id, vector: vectorOf(id), payload: { even: id % 2 === 0 } }));
    await client.upsert(collection, { wait: true, points });
  }
}

/** What is wrong with the answers for a collection of points 0..count - 1; empty when nothing is. */
export async function differences(client: QdrantClient, { collection, count }: Workload): Promise<string[]> {
  const wrong: string[] = [];
  const counted = (await client.count(collection, { exact: true })).count;
  if (counted !== count) wrong.push(`count ${counted}, uploaded ${count}`);
  for (let probe = 0; probe < 20; probe++) {
    const query = vectorOf(1_000_003 + probe);
    const onlyEven = probe % 2 === 1;
    const found = await client.query(collection, {
      query,
      limit,
      params: { exact: true },
      ...(onlyEven ? { filter: { must: [{ key: 'even', match: { value: true } }] } } : {}),
    });
    // Ids of equal score may come in any order: scores are what an exact scan determines.
    const got = found.points.map((point) => `${point.score}`).join(' ');
    const expected = exactScores(query, count, onlyEven).join(' ');
    if (got !== expected) wrong.push(`probe ${probe}: scores ${got}, exact scan says ${expected}`);
    for (const point of found.points)
      if (score(query, Number(point.id)) !== point.score)
        wrong.push(`probe ${probe}: point ${point.id} does not score ${point.score}`);
  }
  return wrong;
}

function score(query: readonly number[], id: number): number {
  return vectorOf(id).reduce((sum, value, axis) => sum + value * query[axis]!, 0);
}

function exactScores(query: readonly number[], count: number, onlyEven: boolean): number[] {
  const ids = Array.from({ length: count }, (_, id) => id).filter((id) => !onlyEven || id % 2 === 0);
  return ids
    .map((id) => score(query, id))
    .sort((a, b) => b - a)
    .slice(0, limit);
}
