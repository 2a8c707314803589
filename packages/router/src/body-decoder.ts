/**
 * The decode thread's end of long-bodies.ts: one scanner for the bodies of all threads that serve, one body after another.
 * An entry of its own (package.json): the thread loads no server.
 */
import type { Env, Port } from '@quiver/env';
import type { PointBatch, VectorColumn } from '@quiver/model';
import { decodeMessage, messageSchema, plainError, readUpsertColumns } from '@quiver/rpc/codec';
import { createBodyScanner, type BodyScanner } from '@quiver/wire';
import * as grpc from './grpc/decode-updates.ts';
import type { DecodedBody, FromDecoder, LongBodyKind, ToDecoder } from './long-bodies.ts';
import * as rest from './rest/decode/updates.ts';
import type { Chunks } from './rest/exchange.ts';
import { releaseChunks } from './rest/node-exchange.ts';
import { malformedBody } from './rest/scan-body.ts';

/** Memory of the scanner is some times that of the longest body: it is let go after so long without one. */
const idleMs = 5_000;
const noHead: grpc.WriteMessage = {};

/** @returns serves one more port */
export function createBodyDecoder(env: Env): (port: Port<ToDecoder, FromDecoder>) => void {
  let scanner: BodyScanner | null = null;
  let cancelIdle: (() => void) | null = null;

  function scanned(chunks: Chunks, decode: rest.DecodeUpdate): DecodedBody {
    const marks = (scanner ??= createBodyScanner());
    let doc: unknown;
    try {
      doc = marks.scan(chunks, true);
    } catch (error) {
      throw malformedBody(error, false);
    }
    return { head: noHead, update: () => decode(doc, marks) };
  }

  const readers: Readonly<Record<LongBodyKind, (chunks: Chunks) => DecodedBody>> = {
    upsert: (chunks) => scanned(chunks, rest.decodeUpsert),
    update_vectors: (chunks) => scanned(chunks, rest.decodeUpdateVectors),
    grpc_upsert: readUpsert,
    grpc_update_vectors: readUpdateVectors,
  };

  return (port) => {
    port.onMessage(({ call, kind, chunks }) => {
      cancelIdle?.();
      let head: grpc.WriteMessage | null = null;
      try {
        const body = readers[kind](chunks);
        head = body.head;
        const update = body.update();
        port.post(
          { kind: 'decoded', call, head, update },
          'points' in update ? buffersOf(update.points) : [],
        );
      } catch (error) {
        port.post({ kind: 'failed', call, head, failure: plainError(error) });
      } finally {
        releaseChunks(chunks);
      }
      cancelIdle = env.after(idleMs, () => void (scanner = null));
    });
    port.post({ kind: 'ready' });
  };
}

function readUpsert(chunks: Chunks): DecodedBody {
  const bytes = wholeOf(chunks);
  const schema = messageSchema('UpsertPoints');
  return messageOf(readUpsertColumns(schema, bytes) ?? decodeMessage(schema, bytes), grpc.decodeUpsert);
}

function readUpdateVectors(chunks: Chunks): DecodedBody {
  const message = decodeMessage(messageSchema('UpdatePointVectors'), wholeOf(chunks));
  return messageOf(message, grpc.decodeUpdateVectors);
}

/** A message comes as one. */
function wholeOf([bytes = new Uint8Array(0)]: Chunks): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function messageOf(read: unknown, decode: typeof grpc.decodeUpsert): DecodedBody {
  const message = read as grpc.UpsertMessage & grpc.WriteMessage;
  return { head: grpc.headOf(message), update: () => grpc.decodeWrite(message, decode).update };
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
