/** An exchange over node:http's own parser and streams: for every request that the fast lane leaves alone. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import { bodyTooLarge } from './body.ts';
import type { Chunks, Exchange } from './exchange.ts';

/** How long a client whose body was refused may go on sending it before the connection is cut. */
const drainMs = 5_000;

export function createNodeExchange(request: IncomingMessage, response: ServerResponse, env: Env): Exchange {
  let chunks: Chunks = [];
  return {
    method: request.method ?? '',
    url: request.url ?? '/',
    header(name) {
      const value = request.headers[name];
      return typeof value === 'object' ? value.join(', ') : value;
    },
    async body(bytesMax) {
      chunks = await readChunks(request, bytesMax);
      return chunks;
    },
    releaseBody: () => releaseChunks(chunks),
    discardBody() {
      request.resume();
      env.after(drainMs, () => request.socket.destroy());
    },
    answer(status, lines, body, isLast) {
      if (response.destroyed || response.headersSent) return;
      const more = ['content-length', String(body.length)];
      if (isLast) more.push('connection', 'close');
      response.writeHead(status, [...lines, ...more]);
      response.end(Buffer.from(body));
    },
  };
}

function readChunks(request: IncomingMessage, bytesMax: number): Promise<Chunks> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let total = 0;
    request.on('data', (chunk: Uint8Array) => {
      total += chunk.length;
      if (total > bytesMax) reject(bodyTooLarge(null, bytesMax));
      else chunks.push(chunk);
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
export function releaseChunks(chunks: Chunks): void {
  for (const { buffer, byteLength } of chunks)
    // A part of a pool is not ours to take.
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
