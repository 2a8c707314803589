/**
 * A closed-loop HTTP/1.1 load over raw sockets: prebuilt requests, one in flight on each connection, replies only split by
 * Content-Length. Costs the client little, so that on two cores the server's cost shows.
 */
import { connect } from 'node:net';

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
}

export function buildRequest(method: string, path: string, body: string | Buffer): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body as string)]);
}

/**
 * Sends requests[0..], each once or round and round until `seconds` have passed.
 * @param onReply - gets the request's index and the reply's body
 */
export async function runLoad(
  port: number,
  requests: readonly Buffer[],
  options: {
    connections: number;
    seconds?: number;
    onReply?: (index: number, body: Buffer, status: number) => void;
  },
): Promise<LoadResult> {
  const endAt = options.seconds === undefined ? Infinity : performance.now() + options.seconds * 1000;
  const latencies: number[] = [];
  let next = 0;
  let failures = 0;
  const startedAt = performance.now();
  const take = (): number | null => {
    if (options.seconds === undefined) return next < requests.length ? next++ : null;
    return performance.now() < endAt ? next++ % requests.length : null;
  };
  const runConnection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let buffered: Buffer[] = [];
      let have = 0;
      let need = -1;
      let bodyAt = 0;
      let status = 0;
      let index = -1;
      let sentAt = 0;
      const send = (): void => {
        const taken = take();
        if (taken === null) {
          socket.destroy();
          resolve();
          return;
        }
        index = taken;
        sentAt = performance.now();
        socket.write(requests[index]!);
      };
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        buffered.push(chunk);
        have += chunk.length;
        if (need < 0) {
          const all = buffered.length === 1 ? chunk : Buffer.concat(buffered);
          const headEnd = all.indexOf('\r\n\r\n');
          if (headEnd < 0) return;
          const head = all.toString('latin1', 0, headEnd).toLowerCase();
          const length = /content-length: (\d+)/.exec(head);
          if (length === null) {
            reject(new Error(`no content-length in: ${head}`));
            return;
          }
          status = Number(head.slice(9, 12));
          bodyAt = headEnd + 4;
          need = bodyAt + Number(length[1]);
        }
        if (have < need) return;
        latencies.push(performance.now() - sentAt);
        if (status !== 200) failures += 1;
        if (options.onReply !== undefined) {
          const all = buffered.length === 1 ? buffered[0]! : Buffer.concat(buffered);
          options.onReply(index, all.subarray(bodyAt, need), status);
        }
        buffered = [];
        have = 0;
        need = -1;
        send();
      });
    });
  await Promise.all(Array.from({ length: options.connections }, runConnection));
  return loadResult(latencies, (performance.now() - startedAt) / 1000, failures);
}

/** @param latencies - in ms; sorted in place */
export function loadResult(latencies: number[], seconds: number, failures: number): LoadResult {
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  return {
    requests: latencies.length,
    seconds,
    perSecond: latencies.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures,
  };
}
