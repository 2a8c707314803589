/**
 * Recall of real queries: now and then one that this thread has answered is searched again, as it was asked and exactly,
 * over the same view, and what the first finds of the second goes to the control thread. Always: each query since the last
 * measurement is as likely to be taken (reservoir sampling, Vitter 1985, algorithm R); only while the thread has nothing
 * else to do, and within a share of its time; not where vectors are on disk.
 */
import type { Env } from '@quiver/env';
import { denseVector, type CollectionRecord, type QueryRequest, type ScoredPoint } from '@quiver/model';
import { coldVectors, type Steps } from '@quiver/segment';
import type { ReplicaView, ReplicaViews } from './replica-views.ts';
import type { Scheduler } from './scheduler.ts';

/** What one query found of its true answer. */
export interface MeasuredQuery {
  readonly collection: CollectionRecord;
  readonly shardId: number;
  readonly vector: string;
  /** Of the true answers, those found. */
  readonly found: number;
  readonly wanted: number;
}

export interface LiveRecallOptions {
  readonly env: Env;
  /** Most of the thread's time that goes into it, 0 to 1; 0: nothing is measured. */
  readonly timeShare: number;
  readonly views: Pick<ReplicaViews, 'reading'>;
  readonly scheduler: Scheduler;
  readonly search: (
    view: ReplicaView,
    collection: CollectionRecord,
    request: QueryRequest,
  ) => Steps<ScoredPoint[]>;
  readonly onMeasured: (measured: MeasuredQuery) => void;
}

interface Sample {
  readonly collection: CollectionRecord;
  readonly shardId: number;
  readonly request: QueryRequest;
}

const lookEveryMs = 1_000;
/** A timer that is later than this waited for something: the thread is not idle. */
const lateMsMax = 5;
const answersMax = 1_000;
const deadlineMs = 10_000;

export class LiveRecall {
  readonly #options: LiveRecallOptions;
  #sample: Sample | null = null;
  /** Queries since the last measurement. */
  #seen = 0;
  /** A look is due, or a measurement under way. */
  #isDue = false;
  #notBeforeMs = -Infinity;

  constructor(options: LiveRecallOptions) {
    this.#options = options;
  }

  /** A query was answered. */
  note(collection: CollectionRecord, shardId: number, request: QueryRequest): void {
    const { env, timeShare } = this.#options;
    if (timeShare === 0 || !isMeasurable(collection, request)) return;
    this.#seen += 1;
    if (env.random() * this.#seen < 1) this.#sample = { collection, shardId, request: kept(request) };
    this.#wait();
  }

  #wait(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const { env } = this.#options;
    const dueMs = Math.max(env.now() + lookEveryMs, this.#notBeforeMs);
    env.after(dueMs - env.now(), () => {
      const isIdle = env.now() - dueMs <= lateMsMax && this.#options.scheduler.waiting === 0;
      const measured = isIdle && this.#sample !== null ? this.#measure(this.#sample) : Promise.resolve();
      void measured.finally(() => {
        this.#isDue = false;
        if (this.#seen > 0) this.#wait();
      });
    });
  }

  async #measure({ collection, shardId, request }: Sample): Promise<void> {
    const { env, timeShare, views, scheduler, search, onMeasured } = this.#options;
    const vector = request.using;
    this.#sample = null;
    this.#seen = 0;
    const startedMs = env.now();
    const asked = asItWasAsked(request);
    const untilMs = startedMs + deadlineMs;
    try {
      const compared = await views.reading(collection, shardId, 'shown', async (view) => {
        const hasGraph = view.segments.some(({ reader }) =>
          reader.descriptor.graphs.some((graph) => graph.vector === vector),
        );
        // What an exact answer would read of the disk is not worth the figure.
        const isOnDisk = view.segments.some(({ reader }) => coldVectors(reader.descriptor).has(vector));
        if (!hasGraph || isOnDisk) return null;
        const answers = await scheduler.run(search(view, collection, asked), untilMs);
        const truth = await scheduler.run(search(view, collection, exactly(asked)), untilMs);
        return { found: foundOf(truth, answers), wanted: truth.length };
      });
      if (compared !== null && compared.wanted > 0) onMeasured({ collection, shardId, vector, ...compared });
    } catch {
      // Moved, dropped, too long, a point that is gone: there will be others.
    }
    this.#notBeforeMs = env.now() + (env.now() - startedMs) * (1 / timeShare - 1);
  }
}

/** Sparse vectors and multivectors are searched exactly anyway. */
function isMeasurable(
  { config }: CollectionRecord,
  { query, using, params, ...request }: QueryRequest,
): boolean {
  if (query?.kind !== 'nearest' || params.exact) return false;
  const space = denseVector(config.params, using);
  const wanted = request.offset + request.limit;
  return space !== undefined && space.multivector_config === undefined && wanted > 0 && wanted <= answersMax;
}

/** The vector may lie in memory that the next request uses. */
function kept(request: QueryRequest): QueryRequest {
  const { query } = request;
  if (query?.kind !== 'nearest' || query.input.kind !== 'vector') return request;
  const { vector } = query.input;
  if (vector.kind !== 'dense') return request;
  const copy = { ...vector, values: vector.values.slice() };
  return { ...request, query: { ...query, input: { ...query.input, vector: copy } } };
}

function asItWasAsked(request: QueryRequest): QueryRequest {
  return {
    ...request,
    limit: request.offset + request.limit,
    offset: 0,
    withPayload: { kind: 'none' },
    withVector: { kind: 'none' },
  };
}

function exactly(request: QueryRequest): QueryRequest {
  return { ...request, params: { ...request.params, exact: true } };
}

/** Of points with the last true answer's score any is as good as another. */
export function foundOf(truth: readonly ScoredPoint[], answers: readonly ScoredPoint[]): number {
  const last = truth.at(-1)?.score;
  const ids = new Set(truth.map(({ id }) => id));
  const found = answers.filter(({ id, score }) => ids.has(id) || score === last).length;
  return Math.min(found, truth.length);
}
