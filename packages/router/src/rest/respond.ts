/** Answers onto the socket: headers, compression where the client takes it and the body is worth it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, gzipSync, zstdCompress } from 'node:zlib';

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
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Never waits for a client that takes no coding; the answer may be sent later otherwise. */
export function send(request: IncomingMessage, response: ServerResponse, outgoing: Outgoing): void {
  const accepted = request.headers['accept-encoding'];
  if (accepted === undefined || outgoing.body.length < compressFromBytes) {
    write(response, outgoing, null);
    return;
  }
  const coding = chooseCoding(accepted);
  if (coding === null) write(response, outgoing, null);
  else if (coding === 'gzip' && outgoing.body.length <= compressInlineMax)
    write(response, { ...outgoing, body: gzipSync(outgoing.body, { level: gzipLevel }) }, coding);
  else
    compress(coding, outgoing.body).then(
      (body) => write(response, { ...outgoing, body }, coding),
      () => write(response, outgoing, null),
    );
}

function write(
  response: ServerResponse,
  { status, contentType, body, headers }: Outgoing,
  coding: string | null,
): void {
  if (response.destroyed || response.headersSent) return;
  const lines: string[] = ['content-length', String(body.length)];
  if (contentType !== null) lines.push('content-type', contentType);
  if (coding !== null) lines.push('content-encoding', coding, 'vary', 'accept-encoding');
  if (headers !== undefined) for (const [key, value] of Object.entries(headers)) lines.push(key, value);
  response.writeHead(status, lines);
  response.end(body);
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
