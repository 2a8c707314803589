/** Answers onto the socket: headers, compression where the client takes it and the body is worth it. */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, gzipSync, zstdCompress } from 'node:zlib';
import type { Exchange } from './exchange.ts';

/** Below, compression costs more than it saves. */
const compressFromBytes = 1_024;
/** Up to here on this thread: a trip to the pool takes longer. */
const compressInlineMax = 32 * 1_024;
const gzipLevel = 1;
const brotliQuality = 2;

export interface Outgoing {
  readonly status: number;
  /** null: no body type */
  readonly contentType: string | null;
  /** The sender's again when `send` returns. */
  readonly body: Uint8Array;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** The connection ends with it. */
  readonly isLast: boolean;
}

/** Never waits for a client that takes no coding; the answer may be sent later otherwise. */
export function send(exchange: Exchange, outgoing: Outgoing): void {
  const accepted = exchange.header('accept-encoding');
  if (accepted === undefined || outgoing.body.length < compressFromBytes) {
    write(exchange, outgoing, null);
    return;
  }
  const coding = chooseCoding(accepted);
  if (coding === null) write(exchange, outgoing, null);
  else if (coding === 'gzip' && outgoing.body.length <= compressInlineMax)
    write(exchange, { ...outgoing, body: gzipSync(outgoing.body, { level: gzipLevel }) }, coding);
  else {
    const plain = outgoing.body.slice();
    compress(coding, plain).then(
      (body) => write(exchange, { ...outgoing, body }, coding),
      () => write(exchange, { ...outgoing, body: plain }, null),
    );
  }
}

function write(
  exchange: Exchange,
  { status, contentType, body, headers, isLast }: Outgoing,
  coding: string | null,
): void {
  const lines: string[] = [];
  if (contentType !== null) lines.push('content-type', contentType);
  if (coding !== null) lines.push('content-encoding', coding, 'vary', 'accept-encoding');
  for (const text of headers) lines.push(text);
  exchange.answer(status, lines, body, isLast);
}

type Coding = 'gzip' | 'zstd' | 'br';
const codings: readonly Coding[] = ['gzip', 'zstd', 'br'];

/** The accepted coding of the highest quality; among equals the cheapest. */
export function chooseCoding(accepted: string): Coding | null {
  const quality = new Map<string, number>();
  for (const part of accepted.toLowerCase().split(',')) {
    const [name = '', ...options] = part.split(';').map((word) => word.trim());
    const weight = options.find((option) => option.startsWith('q='));
    quality.set(name, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  const of = (coding: string): number => quality.get(coding) ?? quality.get('*') ?? 0;
  let best: Coding | null = null;
  for (const coding of codings) if (of(coding) > 0 && (best === null || of(coding) > of(best))) best = coding;
  return best !== null && of(best) >= (quality.get('identity') ?? 0) ? best : null;
}

function compress(coding: Coding, body: Uint8Array): Promise<Buffer> {
  if (coding === 'gzip') return promisify(gzip)(body, { level: gzipLevel });
  if (coding === 'zstd') return promisify(zstdCompress)(body);
  return promisify(brotliCompress)(body, {
    params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality },
  });
}
