/**
 * Clients that change points over REST, each alone in a range of ids, and the state they expect.
 * Always: a client has one request in flight; what was acknowledged is in `state`; what was in flight when the server
 * died is in `pending`, and the server may have applied it as a whole or not at all.
 */
import { isDeepStrictEqual } from 'node:util';

export interface Point {
  readonly vector: readonly number[];
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface Client {
  readonly firstId: number;
  readonly idCount: number;
  state: Map<number, Point>;
  pending: Map<number, Point> | undefined;
  version: number;
}

export interface Totals {
  acknowledged: number;
  pointsChanged: number;
  /** In flight when the server went. */
  cutOff: number;
  appliedThough: number;
}

export const collection = 'durability';
export const dim = 32;
const batchMax = 24;

export function createClient(firstId: number, idCount: number): Client {
  return { firstId, idCount, state: new Map(), pending: undefined, version: 0 };
}

export async function createCollection(url: string): Promise<void> {
  await request(url, 'PUT', `/collections/${collection}`, {
    vectors: { size: dim, distance: 'Euclid' },
    // So low that segments are sealed and indexed while the workload runs.
    optimizers_config: { indexing_threshold: 50, max_segment_size: 200, default_segment_number: 2 },
  });
  await request(url, 'PUT', `/collections/${collection}/index?wait=true`, {
    field_name: 'owner',
    field_schema: 'integer',
  });
}

interface Step {
  readonly path: string;
  readonly body: unknown;
  readonly after: Map<number, Point>;
  readonly changed: number;
}

function planStep(client: Client, random: () => number): Step {
  const count = 1 + Math.floor(random() * batchMax);
  const ids = [
    ...new Set(Array.from({ length: count }, () => client.firstId + Math.floor(random() * client.idCount))),
  ];
  const version = ++client.version;
  const after = new Map(client.state);
  const known = ids.filter((id) => client.state.has(id));
  const choice = random();
  if (choice < 0.55 || known.length === 0) {
    const points = ids.map((id) => {
      const point: Point = {
        vector: vectorOf(id, version),
        payload: { owner: client.firstId, version, text: 'x'.repeat(Math.floor(random() * 200)) },
      };
      after.set(id, point);
      return { id, ...point };
    });
    return { path: '', body: { points }, after, changed: ids.length };
  }
  if (choice < 0.7) {
    for (const id of ids) after.delete(id);
    return { path: '/delete', body: { points: ids }, after, changed: ids.length };
  }
  if (choice < 0.85) {
    for (const id of known) {
      const point = client.state.get(id)!;
      after.set(id, { ...point, payload: { ...point.payload, edit: version } });
    }
    return {
      path: '/payload',
      body: { payload: { edit: version }, points: known },
      after,
      changed: known.length,
    };
  }
  if (choice < 0.93) {
    for (const id of known) {
      const point = client.state.get(id)!;
      const payload = Object.fromEntries(Object.entries(point.payload).filter(([name]) => name !== 'edit'));
      after.set(id, { vector: point.vector, payload });
    }
    return { path: '/payload/delete', body: { keys: ['edit'], points: known }, after, changed: known.length };
  }
  const points = known.map((id) => {
    const vector = vectorOf(id, version);
    after.set(id, { vector, payload: client.state.get(id)!.payload });
    return { id, vector };
  });
  return { path: '/vectors', body: { points }, after, changed: known.length };
}

/** Small whole eighths: exact as f32, different for every id and version. */
function vectorOf(id: number, version: number): number[] {
  return Array.from({ length: dim }, (_, i) => ((id * 7 + version * (i + 3)) % 257) / 8);
}

/** Sends changes until the server goes away or `stopped` says so. @throws when the server answers with an error */
export async function runClient(
  url: string,
  client: Client,
  random: () => number,
  stopped: () => boolean,
  totals: Totals,
): Promise<void> {
  while (!stopped()) {
    const step = planStep(client, random);
    const method = step.path === '' || step.path === '/vectors' ? 'PUT' : 'POST';
    client.pending = step.after;
    try {
      await request(url, method, `/collections/${collection}/points${step.path}?wait=true`, step.body);
    } catch (error) {
      if (error instanceof ReplyError) throw error;
      totals.cutOff++;
      return;
    }
    client.state = step.after;
    client.pending = undefined;
    totals.acknowledged++;
    totals.pointsChanged += step.changed;
  }
}

/**
 * Compares the server with what every client expects; afterwards the clients' states are the server's.
 * @param atomic - a request in flight must be there as a whole or not at all (Qdrant does not promise that)
 * @returns one line per breach
 */
export async function verifyClients(
  url: string,
  clients: readonly Client[],
  atomic: boolean,
  totals: Totals,
): Promise<string[]> {
  const breaches: string[] = [];
  let present = 0;
  for (const client of clients) {
    const found = await fetchPoints(url, client);
    present += found.size;
    const whole = client.pending !== undefined && sameMaps(found, client.pending);
    if (whole) totals.appliedThough++;
    else if (!sameMaps(found, client.state))
      breaches.push(...differences(client, found, atomic).map((line) => `client ${client.firstId}: ${line}`));
    client.state = found;
    client.pending = undefined;
    const indexed = await count(url, { must: [{ key: 'owner', match: { value: client.firstId } }] });
    if (indexed !== found.size)
      breaches.push(
        `client ${client.firstId}: the index on owner counts ${indexed}, ${found.size} are there`,
      );
  }
  const total = await count(url, undefined);
  if (total !== present) breaches.push(`the collection counts ${total} points, ${present} are known`);
  return breaches;
}

function differences(client: Client, found: Map<number, Point>, atomic: boolean): string[] {
  const lines: string[] = [];
  for (let id = client.firstId; id < client.firstId + client.idCount; id++) {
    const [got, want, maybe] = [found.get(id), client.state.get(id), client.pending?.get(id)];
    if (isDeepStrictEqual(got, want)) continue;
    if (client.pending !== undefined && isDeepStrictEqual(got, maybe)) continue;
    const what = got === undefined ? 'lost' : want === undefined ? 'resurrected' : 'stale or wrong';
    lines.push(
      `point ${id} is ${what}: found ${brief(got)}, acknowledged ${brief(want)}, in flight ${brief(maybe)}`,
    );
  }
  if (lines.length === 0 && atomic) lines.push('the request in flight was applied in part');
  return lines;
}

function brief(point: Point | undefined): string {
  if (point === undefined) return 'nothing';
  return `v${String(point.payload['version'])}/e${String(point.payload['edit'])}/${point.vector.slice(0, 3).join(',')}`;
}

function sameMaps(a: Map<number, Point>, b: Map<number, Point>): boolean {
  if (a.size !== b.size) return false;
  for (const [id, point] of a) if (!isDeepStrictEqual(point, b.get(id))) return false;
  return true;
}

async function fetchPoints(url: string, client: Client): Promise<Map<number, Point>> {
  const ids = Array.from({ length: client.idCount }, (_, i) => client.firstId + i);
  const points = await request<{ id: number; vector: number[]; payload: Record<string, unknown> }[]>(
    url,
    'POST',
    `/collections/${collection}/points`,
    { ids, with_vector: true, with_payload: true },
  );
  return new Map(points.map(({ id, vector, payload }) => [id, { vector, payload }]));
}

async function count(url: string, filter: unknown): Promise<number> {
  const body = { exact: true, ...(filter === undefined ? {} : { filter }) };
  const result = await request<{ count: number }>(
    url,
    'POST',
    `/collections/${collection}/points/count`,
    body,
  );
  return result.count;
}

/** The server answered, with an error. */
export class ReplyError extends Error {}

export async function request<T>(url: string, method: string, path: string, body: unknown): Promise<T> {
  const reply = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await reply.text();
  if (!reply.ok) throw new ReplyError(`${method} ${path}: ${reply.status} ${text}`);
  return (JSON.parse(text) as { result: T }).result;
}
