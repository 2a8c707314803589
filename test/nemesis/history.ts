/**
 * Clients that work on points as registers through the stock JavaScript client, and the history of what they did, for
 * test/lincheck. Always: a call is stamped before it is sent and its return after it came, on one monotonic clock; an
 * operation is left out only when it surely changed nothing; a write that may have happened stays open for good.
 */
import { QdrantClient } from '@qdrant/js-client-rest';
import type { PointInput, PointOutput } from '../lincheck/models/point-register.ts';
import type { Operation } from '../lincheck/operation.ts';

export type PointOperation = Operation<PointInput, PointOutput>;

export interface WorkloadOptions {
  /** REST addresses; each operation takes one of them. */
  readonly urls: readonly string[];
  readonly collection: string;
  readonly clientCount: number;
  /** Points that are worked on at the same time. */
  readonly pointCount: number;
  /** After so many operations a point is left for a fresh one, so that no register's history grows hard to check. */
  readonly operationsPerPointMax: number;
  /** Time given to one request. */
  readonly timeoutMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Of writes; default: not said. */
  readonly ordering?: 'weak' | 'medium' | 'strong';
}

export interface Recording {
  readonly history: PointOperation[];
  readonly counts: Record<Outcome, number>;
  /** Answers that no register could give: a vector of one write with the payload of another. */
  readonly torn: string[];
}

/** ok: answered. refused: surely without effect. unknown: a write that may take effect, or a read without an answer. */
export type Outcome = 'ok' | 'refused' | 'unknown';

const dim = 4;
/** A client that met an error waits this long, so that a dead server does not fill the history with open writes. */
const pauseAfterErrorMs = 50;

export async function createRegisterCollection(
  url: string,
  collection: string,
  settings: { shard_number?: number; replication_factor?: number; write_consistency_factor?: number } = {},
): Promise<void> {
  const client = new QdrantClient({ url, checkCompatibility: false });
  await client.createCollection(collection, { vectors: { size: dim, distance: 'Dot' }, ...settings });
}

export interface RunningClients {
  /** Grows while they run. */
  readonly recording: Recording;
  /** Waits for what is in flight. */
  stop(): Promise<Recording>;
}

export function startClients(options: WorkloadOptions): RunningClients {
  const recording: Recording = { history: [], counts: { ok: 0, refused: 0, unknown: 0 }, torn: [] };
  const points = createPoints(options);
  let isStopping = false;
  let valueCount = 0;
  const runs = Array.from({ length: options.clientCount }, async (_, client) => {
    const connections = options.urls.map(
      (url) => new QdrantClient({ url, checkCompatibility: false, timeout: options.timeoutMs }),
    );
    while (!isStopping) {
      const connection = connections[Math.floor(options.random() * connections.length)]!;
      // Every upsert writes a value of its own: a read then tells which write it saw.
      const input = chooseInput(options.random, points.choose(), () => ++valueCount);
      const outcome = await perform(connection, options, client, input, recording);
      recording.counts[outcome] += 1;
      if (outcome !== 'ok') await new Promise<void>((resolve) => setTimeout(resolve, pauseAfterErrorMs));
    }
  });
  return {
    recording,
    async stop() {
      isStopping = true;
      await Promise.all(runs);
      return recording;
    },
  };
}

function createPoints(options: WorkloadOptions): { choose(): number } {
  let lastId = options.pointCount;
  const live = Array.from({ length: options.pointCount }, (_, i) => ({ id: i + 1, operations: 0 }));
  return {
    choose() {
      const point = live[Math.floor(options.random() * live.length)]!;
      if (point.operations === options.operationsPerPointMax) {
        point.id = ++lastId;
        point.operations = 0;
      }
      point.operations += 1;
      return point.id;
    },
  };
}

function chooseInput(random: () => number, id: number, nextValue: () => number): PointInput {
  const choice = random();
  if (choice < 0.5) return { kind: 'retrieve', id };
  if (choice < 0.9) return { kind: 'upsert', id, value: nextValue() };
  return { kind: 'delete', id };
}

async function perform(
  connection: QdrantClient,
  options: WorkloadOptions,
  client: number,
  input: PointInput,
  recording: Recording,
): Promise<Outcome> {
  const calledAt = performance.now();
  try {
    const output = await send(connection, options, input, recording.torn);
    const returnedAt = performance.now();
    if (output !== undefined) {
      recording.history.push({ client, input, output, calledAt, returnedAt });
      return 'ok';
    }
  } catch (error) {
    if (isWithoutEffect(error)) return 'refused';
  }
  recording.history.push({ client, input, output: undefined, calledAt, returnedAt: Infinity });
  return 'unknown';
}

/** undefined: the server took the write and does not say that it is done. */
async function send(
  connection: QdrantClient,
  { collection, ordering }: WorkloadOptions,
  input: PointInput,
  torn: string[],
): Promise<PointOutput | undefined> {
  const write = { wait: true, ...(ordering === undefined ? {} : { ordering }) };
  switch (input.kind) {
    case 'upsert': {
      const vector = Array.from({ length: dim }, () => input.value);
      const points = [{ id: input.id, vector, payload: { value: input.value } }];
      const done = await connection.upsert(collection, { ...write, points });
      return done.status === 'completed' ? 'done' : undefined;
    }
    case 'delete': {
      const done = await connection.delete(collection, { ...write, points: [input.id] });
      return done.status === 'completed' ? 'done' : undefined;
    }
    case 'retrieve': {
      const [point] = await connection.retrieve(collection, {
        ids: [input.id],
        with_payload: true,
        with_vector: true,
        consistency: 'majority',
      });
      if (point === undefined) return null;
      const value = point.payload?.['value'];
      const vector = JSON.stringify(point.vector);
      if (typeof value !== 'number' || vector !== JSON.stringify([value, value, value, value]))
        torn.push(`point ${input.id}: payload ${JSON.stringify(point.payload)} with vector ${vector}`);
      return Number(value);
    }
    case 'cas':
      throw new Error('the workload has no conditional write');
  }
}

const unsentCodes = new Set(['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Nothing was sent, or the server refused the request as wrong, too much or without room on the disk before doing
 * anything. Every other error, any other 5xx among them, leaves open whether the write happens.
 */
function isWithoutEffect(error: unknown): boolean {
  const { status, cause, name } = error as { status?: unknown; cause?: unknown; name?: unknown };
  if (typeof status === 'number') return status === 507 || (status >= 400 && status < 500 && status !== 408);
  if (name === 'QdrantClientResourceExhaustedError') return true;
  return unsentCodes.has(String((cause as { code?: unknown } | undefined)?.code));
}
