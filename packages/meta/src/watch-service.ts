/**
 * `Watch(fromRevision)`, from any member: the changes since then when they are still kept, else the whole catalogue in
 * pieces; then each change, and a mark each second so that silence means a broken connection.
 * Always: a change is encoded once, however many watch; a watcher that does not keep up is dropped, and comes back.
 */
import type { Env } from '@quiver/env';
import type { Catalogue } from '@quiver/model';
import { encodePlain, type WatchSink } from '@quiver/rpc';
import { catalogueDelta, encodeCatalogue } from './catalogue-codec.ts';
import type { CatalogueFeed } from './catalogue-feed.ts';

export interface WatchRequest {
  readonly kind: 'catalogue';
  /** The watcher has this revision of this cluster; 0 and '' for nothing. */
  readonly revision: number;
  readonly clusterId: string;
}

export type WatchMessage =
  /** The whole as bytes, `last` with the last piece. */
  | {
      readonly kind: 'piece';
      readonly bytes: Uint8Array;
      readonly isFirst: boolean;
      readonly isLast: boolean;
    }
  | { readonly kind: 'delta'; readonly bytes: Uint8Array }
  | { readonly kind: 'mark'; readonly revision: number; readonly clusterId: string };

export const markMs = 1_000;
const pieceBytes = 1 << 20;
const keptBytesMax = 8 << 20;
const pendingBytesMax = 64 << 20;

export interface WatchService {
  serve(request: WatchRequest, sink: WatchSink): void;
  close(): void;
}

export function createWatchService(feed: CatalogueFeed, env: Env, clusterId: () => string): WatchService {
  const sinks = new Set<WatchSink>();
  /** The newest changes, oldest first: `from` is the revision before. */
  const kept: { readonly from: number; readonly message: Uint8Array }[] = [];
  let keptBytes = 0;
  let isClosed = false;

  function push(sink: WatchSink, message: Uint8Array): void {
    sink.push(message);
    if (sink.pendingBytes <= pendingBytesMax) return;
    sinks.delete(sink);
    sink.end();
  }

  const stop = feed.onChange((next, previous) => {
    // A copy of its own size: a slice of the pool that messages are made in would keep 64 KiB of it for as long.
    const message = Uint8Array.from(encode({ kind: 'delta', bytes: catalogueDelta(previous, next) }));
    kept.push({ from: previous.revision, message });
    keptBytes += message.length;
    while (keptBytes > keptBytesMax && kept.length > 0) keptBytes -= kept.shift()!.message.length;
    for (const sink of [...sinks]) push(sink, message);
    shown = next;
  });
  /** What watchers have: listeners run a little behind the feed. */
  let shown = feed.catalogue();

  function mark(): void {
    if (isClosed) return;
    const message = encode({ kind: 'mark', revision: shown.revision, clusterId: clusterId() });
    for (const sink of [...sinks]) push(sink, message);
    env.after(markMs, mark);
  }
  env.after(markMs, mark);

  return {
    serve(request, sink) {
      sink.onGone(() => sinks.delete(sink));
      const at = kept.findIndex(({ from }) => from === request.revision);
      const isSame = request.clusterId === clusterId() && clusterId() !== '';
      if (isSame && request.revision === shown.revision)
        push(sink, encode({ kind: 'mark', revision: shown.revision, clusterId: clusterId() }));
      else if (isSame && at >= 0) for (const { message } of kept.slice(at)) push(sink, message);
      else sendWhole(sink, shown);
      sinks.add(sink);
    },
    close() {
      isClosed = true;
      stop();
      for (const sink of sinks) sink.end();
      sinks.clear();
    },
  };

  function sendWhole(sink: WatchSink, catalogue: Catalogue): void {
    push(sink, encode({ kind: 'mark', revision: 0, clusterId: clusterId() }));
    const bytes = encodeCatalogue(catalogue);
    for (let at = 0; at < bytes.length; at += pieceBytes)
      push(
        sink,
        encode({
          kind: 'piece',
          bytes: bytes.subarray(at, at + pieceBytes),
          isFirst: at === 0,
          isLast: at + pieceBytes >= bytes.length,
        }),
      );
  }
}

function encode(message: WatchMessage): Uint8Array {
  return encodePlain(message);
}
