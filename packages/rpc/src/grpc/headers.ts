/**
 * What gRPC writes into headers and trailers (PROTOCOL-HTTP2.md): statuses with percent-encoded texts, timeouts, metadata.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { assert } from '@quiver/model';

/** Pairs that end a call beside its status. REQUIRES: such as `checkMetadata` takes. */
export type Metadata = Readonly<Record<string, string>>;

export interface CallStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata;
}

/** Clients take 8 KiB of trailers at least. */
const messageCharsMax = 4_096;
const contentType = 'application/grpc+proto';
const encodingsTaken = 'identity,deflate,gzip';

/** Of an answer with messages. As names and values by turns, which costs Node 4 us less than an object. */
export const answerHeaders: readonly string[] = [
  ':status',
  '200',
  'content-type',
  contentType,
  'grpc-accept-encoding',
  encodingsTaken,
];
export const okTrailers: OutgoingHttpHeaders = { 'grpc-status': '0' };

export function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith('application/grpc') === true;
}

export function trailersOf({ code, details, metadata }: CallStatus): OutgoingHttpHeaders {
  return { 'grpc-status': String(code), 'grpc-message': percentEncoded(details), ...metadata };
}

/** Headers of an answer that is nothing but these trailers. */
export function trailersOnly(trailers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return {
    ':status': 200,
    'content-type': contentType,
    'grpc-accept-encoding': encodingsTaken,
    ...trailers,
  };
}

/** What would not fit is cut off, between characters. */
export function percentEncoded(text: string): string {
  let kept = text.toWellFormed();
  for (;;) {
    const encoded = kept.replaceAll(/[^!-$&-~]+/g, encodeURIComponent);
    if (encoded.length <= messageCharsMax) return encoded;
    const chars = Array.from(kept);
    kept = chars.slice(0, Math.floor((chars.length * messageCharsMax) / encoded.length)).join('');
  }
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Milliseconds of a `grpc-timeout`, null when it is none. */
export function timeoutMs(text: string): number | null {
  const [, value, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  return value === undefined || unit === undefined ? null : Number(value) * unitMs[unit]!;
}

/** The first value of a key; of a key that ends in -bin its bytes, as UTF-8. */
export function metadataOf(headers: IncomingHttpHeaders, key: string): string | undefined {
  const given = headers[key];
  const value = Array.isArray(given) ? given[0] : given;
  if (value === undefined || !key.endsWith('-bin')) return value;
  return Buffer.from(value.split(',', 1)[0]!, 'base64').toString();
}

/** REQUIRES: a key in lower case and a text of printable ASCII without space at its ends. */
export function checkMetadata(key: string, value: string): void {
  assert(/^[a-z0-9_.-]+$/.test(key), `metadata cannot have the key ${JSON.stringify(key)}`);
  assert(/^(?:[!-~](?:[ -~]*[!-~])?)?$/.test(value), `metadata cannot carry ${JSON.stringify(value)}`);
}
