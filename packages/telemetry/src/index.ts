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
