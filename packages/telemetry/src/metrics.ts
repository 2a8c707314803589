/**
 * GET /metrics: Prometheus text by the names Qdrant gave its metrics, as far as they have a meaning here.
 * Nothing is counted on the way: a scrape brings one sample of plain data and it is written down. The registry
 * (escaping, layout) is prom-client's.
 */
import { Registry, type Metric } from 'prom-client';
import { durationBounds, type RouteStats } from './request-stats.ts';

export interface MetricsSample {
  /** The version reported by `GET /`. */
  readonly version: string;
  readonly clusterEnabled: boolean;
  readonly collections: readonly CollectionSample[];
  readonly requests: readonly RouteStats[];
  /** null: the process stores nothing. */
  readonly storage: StorageSample | null;
  /** Of the process, as /proc or process.memoryUsage know them; absent ones are left out. */
  readonly process: {
    readonly residentBytes: number;
    /** JavaScript heaps and arenas in use. */
    readonly allocatedBytes: number;
    readonly threads?: number;
    readonly openFds?: number;
    readonly maxFds?: number;
    readonly minorPageFaults?: number;
    readonly majorPageFaults?: number;
  };
}
export interface StorageSample {
  readonly scrub: ScrubSample;
  readonly memory: MemorySample;
}
/** Shared memory of segments: what `quiver.memory_budget_mb` limits. */
export interface MemorySample {
  readonly budgetBytes: number;
  readonly usedBytes: number;
  /** Taken from the system and free: it waits for reuse. */
  readonly reusableBytes: number;
  /** Of the used bytes, what each component takes. */
  readonly components: Readonly<Record<string, number>>;
}
/** What the background look at everything stored has found since the start of the process. */
export interface ScrubSample {
  readonly passes: number;
  readonly bytes: number;
  readonly badRecords: number;
  readonly mendedRecords: number;
  readonly badParts: number;
  readonly mendedParts: number;
}
export interface CollectionSample {
  readonly name: string;
  readonly points: number;
  /** Vectors by vector name. */
  readonly vectors: Readonly<Record<string, number>>;
  readonly runningOptimizations: number;
  readonly updateQueueLength: number;
  /** Placed copies that are not to be had: their node is away. */
  readonly deadReplicas: number;
  /** Of real queries that were measured, by vector name. */
  readonly liveRecall: readonly {
    readonly vector: string;
    readonly recall: number;
    readonly queries: number;
  }[];
}

interface Value {
  readonly labels: Record<string, string>;
  readonly value: number;
  readonly metricName?: string;
}
interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly values: readonly Value[];
}

/** @param prefix - `service.metrics_prefix`, put before every name as it is */
export async function metricsText(sample: MetricsSample, prefix = ''): Promise<string> {
  const registry = new Registry();
  const families = [
    ...appFamilies(sample),
    ...collectionFamilies(sample.collections),
    ...requestFamilies(sample.requests, 'rest'),
    ...requestFamilies(sample.requests, 'grpc'),
    ...(sample.storage === null ? [] : storageFamilies(sample.storage)),
    ...processFamilies(sample.process),
  ];
  for (const family of families) {
    if (family.values.length === 0) continue;
    const named = {
      ...family,
      name: prefix + family.name,
      values: family.values.map((value) =>
        value.metricName === undefined ? value : { ...value, metricName: prefix + value.metricName },
      ),
      aggregator: 'sum',
    };
    // A metric that is its own snapshot: all the registry asks of one is its name and what `get` answers.
    registry.registerMetric({ name: named.name, get: () => Promise.resolve(named) } as unknown as Metric);
  }
  return registry.metrics();
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, values: [{ labels: {}, value }] };
}

function appFamilies(sample: MetricsSample): Family[] {
  const info = { labels: { name: 'qdrant', version: sample.version }, value: 1 };
  return [
    { name: 'app_info', type: 'gauge', help: 'information about the server', values: [info] },
    gauge('app_status_recovery_mode', 'the server started without its data', 0),
    gauge('cluster_enabled', 'is cluster support enabled', sample.clusterEnabled ? 1 : 0),
  ];
}

function collectionFamilies(collections: readonly CollectionSample[]): Family[] {
  const perCollection = (name: string, help: string, value: (one: CollectionSample) => number): Family => ({
    name,
    type: 'gauge',
    help,
    values: collections.map((one) => ({ labels: { id: one.name }, value: value(one) })),
  });
  const vectors = collections.flatMap((one) =>
    Object.entries(one.vectors).map(([vector, value]) => ({
      labels: { collection: one.name, vector },
      value,
    })),
  );
  const recall = (name: string, help: string, key: 'recall' | 'queries'): Family => ({
    name,
    type: 'gauge',
    help,
    values: collections.flatMap((one) =>
      one.liveRecall.map((part) => ({
        labels: { collection: one.name, vector: part.vector },
        value: part[key],
      })),
    ),
  });
  const total = vectors.reduce((sum, one) => sum + one.value, 0);
  return [
    gauge('collections_total', 'number of collections', collections.length),
    gauge('collections_vector_total', 'total number of vectors in all collections', total),
    { name: 'collection_vectors', type: 'gauge', help: 'vectors by vector name', values: vectors },
    perCollection('collection_points', 'points per collection', (one) => one.points),
    perCollection(
      'collection_running_optimizations',
      'optimizations that run',
      (one) => one.runningOptimizations,
    ),
    perCollection('collection_update_queue_length', 'updates that wait', (one) => one.updateQueueLength),
    perCollection('collection_dead_replicas', 'replicas that are not active', (one) => one.deadReplicas),
    recall(
      'quiver_live_recall',
      'share of the true answers that the latest measured queries found',
      'recall',
    ),
    recall('quiver_live_recall_queries', 'queries that the live recall is of', 'queries'),
  ];
}

function storageFamilies({ scrub, memory }: StorageSample): Family[] {
  const components = Object.entries(memory.components);
  return [
    ...scrubFamilies(scrub),
    {
      name: 'quiver_memory_bytes',
      type: 'gauge',
      help: 'memory of segments by what is in it',
      values: components.map(([component, value]) => ({ labels: { component }, value })),
    },
    gauge('quiver_memory_budget_bytes', 'memory that segments may take', memory.budgetBytes),
    gauge('quiver_memory_used_bytes', 'memory that segments take', memory.usedBytes),
    gauge('quiver_memory_reusable_bytes', 'memory that waits for new segments', memory.reusableBytes),
  ];
}

function scrubFamilies(scrub: ScrubSample): Family[] {
  const counter = (name: string, help: string, values: readonly Value[]): Family => ({
    name: `quiver_scrub_${name}_total`,
    type: 'counter',
    help,
    values,
  });
  const byKind = (records: number, parts: number): Value[] => [
    { labels: { kind: 'record' }, value: records },
    { labels: { kind: 'segment' }, value: parts },
  ];
  return [
    counter('passes', 'times that everything stored was looked at', [{ labels: {}, value: scrub.passes }]),
    counter('bytes', 'bytes whose checksums were compared', [{ labels: {}, value: scrub.bytes }]),
    counter(
      'damaged',
      'records and parts of segments found damaged',
      byKind(scrub.badRecords, scrub.badParts),
    ),
    counter(
      'mended',
      'damaged records and parts that were put back',
      byKind(scrub.mendedRecords, scrub.mendedParts),
    ),
  ];
}

function requestFamilies(stats: readonly RouteStats[], protocol: 'rest' | 'grpc'): Family[] {
  const mine = stats.filter((one) => one.protocol === protocol);
  // As Qdrant: durations of successes only, which is what a latency alert is about.
  const timed = mine.filter((one) => one.status === (protocol === 'rest' ? 200 : 0));
  const family = (suffix: string, help: string, value: (one: RouteStats) => number): Family => ({
    name: `${protocol}_responses_${suffix}_duration_seconds`,
    type: 'gauge',
    help,
    values: timed.map((one) => ({ labels: labelsOf(one), value: value(one) })),
  });
  return [
    {
      name: `${protocol}_responses_total`,
      type: 'counter',
      help: 'total number of responses',
      values: mine.map((one) => ({ labels: labelsOf(one), value: one.count })),
    },
    family('avg', 'average response duration', (one) => one.secondsTotal / one.count),
    family('min', 'minimum response duration', (one) => one.secondsMin),
    family('max', 'maximum response duration', (one) => one.secondsMax),
    histogram(`${protocol}_responses_duration_seconds`, timed),
  ];
}

function histogram(name: string, stats: readonly RouteStats[]): Family {
  const values: Value[] = [];
  for (const one of stats) {
    const labels = labelsOf(one);
    let below = 0;
    for (const [i, bound] of durationBounds.entries()) {
      below += one.buckets[i] ?? 0;
      values.push({ labels: { ...labels, le: String(bound) }, value: below, metricName: `${name}_bucket` });
    }
    values.push({ labels: { ...labels, le: '+Inf' }, value: one.count, metricName: `${name}_bucket` });
    values.push({ labels, value: one.secondsTotal, metricName: `${name}_sum` });
    values.push({ labels, value: one.count, metricName: `${name}_count` });
  }
  return { name, type: 'histogram', help: 'response duration histogram', values };
}

function labelsOf(one: RouteStats): Record<string, string> {
  const status = String(one.status);
  if (one.protocol === 'grpc') return { endpoint: one.route, status };
  const space = one.route.indexOf(' ');
  return { method: one.route.slice(0, space), endpoint: one.route.slice(space + 1), status };
}

function processFamilies(sample: MetricsSample['process']): Family[] {
  const families = [
    gauge('memory_allocated_bytes', 'bytes allocated by the application', sample.allocatedBytes),
    gauge('memory_resident_bytes', 'bytes of the process in physical memory', sample.residentBytes),
  ];
  const optional = (
    name: string,
    help: string,
    value: number | undefined,
    type: Family['type'] = 'gauge',
  ): void => {
    if (value !== undefined) families.push({ name, type, help, values: [{ labels: {}, value }] });
  };
  optional('process_threads', 'count of active threads', sample.threads);
  optional('process_open_fds', 'count of currently open file descriptors', sample.openFds);
  optional('process_max_fds', 'limit for open file descriptors', sample.maxFds);
  optional(
    'process_minor_page_faults_total',
    'page faults without disk access',
    sample.minorPageFaults,
    'counter',
  );
  optional(
    'process_major_page_faults_total',
    'page faults with disk access',
    sample.majorPageFaults,
    'counter',
  );
  return families;
}
