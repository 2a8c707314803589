/**
 * The decode thread's end of long-bodies.ts: one scanner for the bodies of all threads that serve, one body after another.
 * An entry of its own (package.json): the thread loads no server.
 */
import type { Env, Port } from '@quiver/env';
import { ClusterError, type PointBatch, type VectorColumn } from '@quiver/model';
import type { PlainError } from '@quiver/rpc';
import { createBodyScanner, type BodyScanner } from '@quiver/wire';
import { decodeUpdateVectors, decodeUpsert, type DecodeUpdate } from './decode/updates.ts';
import type { Chunks } from './exchange.ts';
import type { FromDecoder, LongBodyKind, ToDecoder } from './long-bodies.ts';
import { releaseChunks } from './node-exchange.ts';
import { malformedBody } from './scan-body.ts';

const decoders: Readonly<Record<LongBodyKind, DecodeUpdate>> = {
  upsert: decodeUpsert,
  update_vectors: decodeUpdateVectors,
};

/** Memory of the scanner is some times that of the longest body: it is let go after so long without one. */
const idleMs = 5_000;

/** @returns serves one more port */
export function createBodyDecoder(env: Env): (port: Port<ToDecoder, FromDecoder>) => void {
  let scanner: BodyScanner | null = null;
  let cancelIdle: (() => void) | null = null;

  function scanned(chunks: Chunks): { doc: unknown; scanner: BodyScanner } {
    scanner ??= createBodyScanner();
    try {
      return { doc: scanner.scan(chunks, true), scanner };
    } catch (error) {
      throw malformedBody(error, false);
    } finally {
      releaseChunks(chunks);
    }
  }

  return (port) => {
    port.onMessage(({ call, kind, chunks }) => {
      cancelIdle?.();
      let isJson = false;
      try {
        const body = scanned(chunks);
        isJson = true;
        const update = decoders[kind](body.doc, body.scanner);
        port.post({ kind: 'decoded', call, update }, 'points' in update ? buffersOf(update.points) : []);
      } catch (error) {
        port.post({ kind: 'failed', call, failure: plain(error), isJson });
      }
      cancelIdle = env.after(idleMs, () => void (scanner = null));
    });
    port.post({ kind: 'ready' });
  };
}

/** Every column owns its buffers. */
function buffersOf({ vectors, payloads }: PointBatch): ArrayBuffer[] {
  const columns = [...vectors.values()].flatMap(arraysOf);
  const buffers = [...columns, payloads.bytes, payloads.offsets].map(({ buffer }) => buffer as ArrayBuffer);
  return [...new Set(buffers)];
}

function arraysOf(column: VectorColumn): (Float32Array | Uint32Array | Uint8Array)[] {
  const present = column.present === null ? [] : [column.present];
  if (column.kind === 'dense') return [column.values, ...present];
  if (column.kind === 'multi') return [column.values, column.offsets, ...present];
  return [column.values, column.indices, column.offsets, ...present];
}

/** As `plainError` of `rpc`, which brings a server along. */
function plain(error: unknown): PlainError {
  if (error instanceof ClusterError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
