export {
  createLog,
  parseLogLevel,
  silentLog,
  type Log,
  type LogFields,
  type LogFormat,
  type LogLevel,
  type LogOptions,
} from './log.ts';
export {
  metricsText,
  type CollectionSample,
  type MetricsSample,
  type ScrubSample,
  type StorageSample,
} from './metrics.ts';
export {
  createRequestStats,
  mergeRequestStats,
  reportRequests,
  type Protocol,
  type ReportedResponses,
  type RequestStats,
  type RouteStats,
} from './request-stats.ts';
