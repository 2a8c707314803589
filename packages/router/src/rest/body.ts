/** Request bodies off the socket: limited by their announced and by their real size, decompressed when they are coded. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { ClusterError } from '@quiver/model';

type Decompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;
const decoders: Readonly<Record<string, Decompress>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

const advice = 'Send fewer points per request, or raise service.max_request_size_mb.';

/** Thrown before the body was read: the connection can not be used again. */
export class BodyTooLarge extends ClusterError {}

/** @throws BodyTooLarge; ClusterError malformed for a coding that is unknown or broken */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<readonly Uint8Array[]> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax)
    return Promise.reject(
      new BodyTooLarge(
        'malformed',
        `JSON payload (${announced} bytes) is larger than allowed (limit: ${bytesMax} bytes). ${advice}`,
      ),
    );
  const coding = request.headers['content-encoding'] ?? 'identity';
  return coding === 'identity'
    ? readChunks(request, bytesMax)
    : readChunks(request, bytesMax).then((chunks) => decompressed(chunks, coding.toLowerCase(), bytesMax));
}

function readChunks(request: IncomingMessage, bytesMax: number): Promise<readonly Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let total = 0;
    request.on('data', (chunk: Uint8Array) => {
      total += chunk.length;
      if (total > bytesMax) {
        reject(
          new BodyTooLarge('malformed', `JSON payload has exceeded limit (${bytesMax} bytes). ${advice}`),
        );
        return;
      }
      chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks));
    request.once('error', reject);
    request.once('aborted', () =>
      reject(new ClusterError('bad_request', 'The request was not sent in full')),
    );
  });
}

/**
 * Gives the memory of a body back at once. Left to the collector, megabytes of chunks behind a few small objects make it
 * walk the whole heap some thirty times for each hundred thousand points uploaded.
 * REQUIRES: nobody reads the chunks any more.
 */
export function releaseChunks(chunks: readonly Uint8Array[]): void {
  for (const { buffer, byteLength } of chunks)
    // A part of a pool is not ours to take.
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

async function decompressed(
  chunks: readonly Uint8Array[],
  coding: string,
  bytesMax: number,
): Promise<readonly Uint8Array[]> {
  const decode = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined;
  if (decode === undefined)
    throw new ClusterError(
      'malformed',
      `Content-Encoding ${coding} is not supported: send gzip, deflate, br, zstd`,
    );
  try {
    return [await decode(Buffer.concat(chunks), { maxOutputLength: bytesMax })];
  } catch (cause) {
    const isTooLarge = (cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    const text = isTooLarge
      ? `JSON payload is larger than allowed after decompression (limit: ${bytesMax} bytes). ${advice}`
      : `Content does not decode as ${coding}`;
    throw new ClusterError('malformed', text, { cause });
  }
}

const position = /(?: in| after)? ?(?:JSON)? ?at position \d+ \(line (\d+) column (\d+)\)$/;
const token = /^Unexpected token (.+?), /s;

/** The engine's complaint about a body, in serde_json's manner; parts of the body itself are left out. */
export function jsonErrorText(error: SyntaxError, isEmpty: boolean): string {
  const prefix = 'Format error in JSON body: ';
  if (isEmpty) return `${prefix}EOF while parsing a value at line 1 column 0`;
  if (/^Unexpected end of JSON|^Unterminated/.test(error.message))
    return `${prefix}EOF while parsing (${error.message})`;
  const unexpected = token.exec(error.message);
  if (unexpected !== null) return `${prefix}expected value, found ${unexpected[1] ?? ''}`;
  const found = position.exec(error.message);
  if (found === null) return prefix + error.message;
  const at = `at line ${found[1] ?? ''} column ${found[2] ?? ''}`;
  const what = error.message.slice(0, found.index);
  return `${prefix}${what.startsWith('Unexpected non-whitespace') ? 'trailing characters' : what} ${at}`;
}
