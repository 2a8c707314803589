/** Request bodies off the socket: limited by their announced and by their real size, decompressed when they are coded. */
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { ClusterError } from '@quiver/model';
import type { Chunks, Exchange } from './exchange.ts';

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

/** @param bytes - as announced; null: so much came */
export function bodyTooLarge(bytes: number | null, bytesMax: number): BodyTooLarge {
  const text =
    bytes === null
      ? `JSON payload has exceeded limit (${bytesMax} bytes).`
      : `JSON payload (${bytes} bytes) is larger than allowed (limit: ${bytesMax} bytes).`;
  return new BodyTooLarge('malformed', `${text} ${advice}`);
}

/** @throws BodyTooLarge; ClusterError malformed for a coding that is unknown or broken */
export function readBody(exchange: Exchange, bytesMax: number): Chunks | Promise<Chunks> {
  const announced = Number(exchange.header('content-length') ?? 0);
  if (announced > bytesMax) throw bodyTooLarge(announced, bytesMax);
  const coding = exchange.header('content-encoding') ?? 'identity';
  const chunks = exchange.body(bytesMax);
  if (coding === 'identity') return chunks;
  return Promise.resolve(chunks).then((coded) => decompressed(coded, coding.toLowerCase(), bytesMax));
}

async function decompressed(chunks: Chunks, coding: string, bytesMax: number): Promise<Chunks> {
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
