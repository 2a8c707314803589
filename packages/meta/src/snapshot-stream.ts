/**
 * Snapshots between members, beside raft's messages: the leader announces one, the follower fetches its state in chunks
 * of 256 KiB over a stream with flow control, and raft sees the announcement when the state is complete.
 * Always: the state that is handed on has the length and the checksum that were sent first.
 */
import { crc32 } from 'node:zlib';
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import { decodePlain, encodePlain, peerPaths, type PeerCaller, type WatchSink } from '@quiver/rpc';

export interface SnapshotRequest {
  readonly kind: 'snapshot';
  readonly memberId: number;
}
type Piece =
  | { readonly kind: 'head'; readonly index: number; readonly bytes: number; readonly crc: number }
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array };

const chunkBytes = 256 * 1024;
/** A stream that gives nothing for this long is given up. */
const silenceMs = 10_000;
const pendingBytesMax = 4 << 20;
const pauseMs = 20;

/** @param state - of the snapshot at `index` */
export function serveSnapshot(
  index: number,
  state: Uint8Array,
  sink: WatchSink,
  env: Env,
  onEnd: () => void,
): void {
  let at = 0;
  let isGone = false;
  sink.onGone(() => {
    isGone = true;
    onEnd();
  });
  const push = (piece: Piece): boolean => sink.push(encodePlain(piece));
  const run = (): void => {
    while (!isGone && at < state.length) {
      if (sink.pendingBytes > pendingBytesMax) {
        env.after(pauseMs, run);
        return;
      }
      push({ kind: 'chunk', bytes: state.subarray(at, at + chunkBytes) });
      at += chunkBytes;
    }
    if (!isGone) sink.end();
  };
  push({ kind: 'head', index, bytes: state.length, crc: crc32(state) });
  run();
}

/** @throws ClusterError unavailable when the stream ends early or another snapshot comes */
export function fetchSnapshot(
  caller: Pick<PeerCaller, 'watch'>,
  options: { readonly address: string; readonly index: number; readonly memberId: number; readonly env: Env },
): Promise<Uint8Array> {
  const { address, index, memberId, env } = options;
  return new Promise((resolve, reject) => {
    let head: Extract<Piece, { kind: 'head' }> | null = null;
    const chunks: Uint8Array[] = [];
    let cancelTimer = env.after(silenceMs, () => finish('nothing came for a while'));
    const finish = (problem: string | null): void => {
      cancelTimer();
      stop();
      const state = Buffer.concat(chunks);
      const isWhole = head !== null && state.length === head.bytes && crc32(state) === head.crc;
      if (problem === null && isWhole) resolve(state);
      else
        reject(
          new ClusterError(
            'unavailable',
            `snapshot ${index} from ${address}: ${problem ?? 'it fails its checksum'}`,
          ),
        );
    };
    const request: SnapshotRequest = { kind: 'snapshot', memberId };
    const stop = caller.watch(address, peerPaths.meta.watch, encodePlain(request), {
      message(bytes) {
        cancelTimer();
        cancelTimer = env.after(silenceMs, () => finish('nothing came for a while'));
        const piece = decodePlain(bytes) as Piece;
        if (piece.kind === 'chunk') chunks.push(piece.bytes);
        else if (piece.index === index) head = piece;
        else finish(`it has snapshot ${piece.index}`);
      },
      end: (error) => finish(error === null ? null : error.message),
    });
  });
}
