/** Messages that clients compress (gRPC's compression.md): gzip, and deflate, which is zlib's format. */
import { gunzip, inflate as unzlib } from 'node:zlib';
import { grpcCode } from '../status.ts';
import { StatusError } from './status-error.ts';

const byEncoding = { gzip: gunzip, deflate: unzlib } as const;

export type Encoding = keyof typeof byEncoding;

export function isEncoding(name: unknown): name is Encoding {
  return name === 'gzip' || name === 'deflate';
}

/** Off this thread. Calls back once, later. */
export function inflate(
  encoding: Encoding,
  message: Buffer,
  bytesMax: number,
  done: (...outcome: [error: StatusError, bytes: null] | [error: null, bytes: Buffer]) => void,
): void {
  byEncoding[encoding](message, { maxOutputLength: bytesMax }, (error, bytes) => {
    if (error === null) done(null, bytes);
    else if ('code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      const text = `Received message that decompresses to a size larger than ${bytesMax}`;
      done(new StatusError(grpcCode.resourceExhausted, text), null);
    } else done(new StatusError(grpcCode.internal, 'Failed to decompress message'), null);
  });
}
