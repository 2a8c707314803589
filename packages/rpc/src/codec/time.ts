/** `google.protobuf.Timestamp` as microseconds since the epoch. */
import { malformed } from './problems.ts';

export interface TimestampMessage {
  readonly seconds?: number | bigint;
  readonly nanos?: number;
}

/** Seconds of the last year that Rust's chrono knows, which is Qdrant's limit. */
const secondsMax = 8_210_266_876_799;

/** @throws ClusterError malformed beyond the year 262142, either side */
export function decodeTimestamp(message: TimestampMessage): number {
  const { seconds = 0, nanos = 0 } = message;
  if (typeof seconds === 'bigint' || Math.abs(seconds) > secondsMax)
    throw malformed(`Unable to parse timestamp: ${seconds} s`);
  return seconds * 1_000_000 + Math.floor(nanos / 1_000);
}
