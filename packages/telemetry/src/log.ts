/**
 * The log: one structured line per event on standard output, JSON unless a person reads it.
 * Always: lines are written at once (no buffer to lose when the process ends), and a secret never passes: callers
 * log field names and sizes, not values of keys.
 */
import { pino, type DestinationStream } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'json' | 'text';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** An error under `fields.error` is written with its text, code, stack and causes. */
  error(message: string, fields?: LogFields): void;
  /** The same log with fields on every line. */
  with(fields: LogFields): Log;
  /** True when lines of this level are written: guards an expensive line. */
  enabled(level: Exclude<LogLevel, 'silent'>): boolean;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** On every line, such as `{ thread: 'serve-1' }`. */
  readonly fields?: LogFields;
  /** Default: standard output, written synchronously. */
  readonly write?: (line: string) => void;
}

interface PinoLike {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): PinoLike;
  isLevelEnabled(level: string): boolean;
}

export function createLog(options: LogOptions): Log {
  const sink: DestinationStream =
    options.write === undefined ? pino.destination({ fd: 1, sync: true }) : { write: options.write };
  const textSink: DestinationStream = {
    write: (line) => {
      sink.write(formatLine(JSON.parse(line) as Record<string, unknown>));
    },
  };
  const destination = options.format === 'json' ? sink : textSink;
  const base = pino(
    {
      level: options.level,
      base: { ...options.fields },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
    },
    destination,
  );
  return wrap(base);
}

/** A log that writes nothing, for tests and embedding. */
export function silentLog(): Log {
  return createLog({ level: 'silent', format: 'json', write: () => undefined });
}

/** Qdrant's `log_level` ("INFO", "debug", "off", or "info,module=debug": the first bare level counts). */
export function parseLogLevel(text: string): LogLevel | null {
  for (const part of text.split(',')) {
    const word = part.trim().toLowerCase();
    if (word === 'off') return 'silent';
    if (word === 'warning') return 'warn';
    if (word === 'trace' || word === 'debug' || word === 'info' || word === 'warn' || word === 'error')
      return word;
  }
  return null;
}

function wrap(base: PinoLike): Log {
  return {
    trace: (message, fields = {}) => base.trace(fields, message),
    debug: (message, fields = {}) => base.debug(fields, message),
    info: (message, fields = {}) => base.info(fields, message),
    warn: (message, fields = {}) => base.warn(fields, message),
    error: (message, fields = {}) => base.error(fields, message),
    with: (fields) => wrap(base.child(fields)),
    enabled: (level) => base.isLevelEnabled(level),
  };
}

function describeError(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code: unknown = (value as { code?: unknown }).code;
  return {
    message: value.message,
    ...(code === undefined ? {} : { code }),
    stack: value.stack,
    ...(value.cause === undefined ? {} : { cause: describeError(value.cause) }),
  };
}

const levelWidth = 5;

/** One line a person reads: time, level, message, then `name=value`. */
function formatLine(entry: Record<string, unknown>): string {
  const { time, level, msg, ...fields } = entry;
  let line = `${String(time)} ${String(level).toUpperCase().padEnd(levelWidth)} ${String(msg)}`;
  let stack = '';
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'error' && typeof value === 'object' && value !== null) {
      const error = value as { message?: unknown; stack?: unknown };
      line += ` error=${JSON.stringify(error.message ?? value)}`;
      if (typeof error.stack === 'string') stack = `\n${error.stack}`;
    } else line += ` ${name}=${typeof value === 'string' ? quoteIfNeeded(value) : JSON.stringify(value)}`;
  }
  return `${line}${stack}\n`;
}

function quoteIfNeeded(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}
