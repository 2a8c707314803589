/**
 * A closed-loop gRPC load over raw sockets, as http-load.ts is for REST: prebuilt messages in HTTP/2 frames (RFC 9113), one
 * call in flight on each connection, answers only told apart from failures. Costs the client little, so that on two cores
 * the server's cost shows.
 */
import { connect } from 'node:net';
import { loadResult, type LoadResult } from './http-load.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const frame = { data: 0, headers: 1, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const flag = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const windowMax = 2 ** 31 - 1;
const windowDefault = 65_535;
const headerBytes = 9;

function frameOf(type: number, flags: number, stream: number, body: Buffer): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** HPACK (RFC 7541) without its dynamic table: each header as a literal, its name by the static table where it is there. */
function headerBlock(method: string): Buffer {
  const literal = (prefix: number[], text: string): Buffer =>
    Buffer.concat([Buffer.from([...prefix, text.length]), Buffer.from(text)]);
  const [post, http, path, authority, contentType] = [0x83, 0x86, [0x04], [0x01], [0x0f, 0x10]] as const;
  return Buffer.concat([
    Buffer.from([post, http]),
    literal([...path], method),
    literal([...authority], 'localhost'),
    literal([...contentType], 'application/grpc'),
    literal([0x00, 2, ...Buffer.from('te')], 'trailers'),
  ]);
}

/** The two frames of a call; the stream's number is filled in at 5 and at `dataAt + 5`. */
function callFrames(method: string, message: Buffer): { bytes: Buffer; dataAt: number } {
  const headers = frameOf(frame.headers, flag.endHeaders, 0, headerBlock(method));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const data = frameOf(frame.data, flag.endStream, 0, Buffer.concat([prefix, message]));
  return { bytes: Buffer.concat([headers, data]), dataAt: headers.length };
}

/** @param method - "/qdrant.Points/Query"; messages go round and round until `seconds` have passed */
export async function runGrpcLoad(
  port: number,
  method: string,
  messages: readonly Buffer[],
  options: { connections: number; seconds: number },
): Promise<LoadResult> {
  const startedAt = performance.now();
  const endAt = startedAt + options.seconds * 1000;
  const latencies: number[] = [];
  let [next, failures] = [0, 0];
  const calls = messages.map((message) => callFrames(method, message));
  const runConnection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let unread: Buffer = Buffer.alloc(0);
      let stream = -1;
      let sentAt = 0;
      let hasAnswer = false;
      const send = (): void => {
        if (performance.now() >= endAt) {
          socket.destroy();
          resolve();
          return;
        }
        const { bytes, dataAt } = calls[next++ % calls.length]!;
        stream += 2;
        bytes.writeUInt32BE(stream, 5);
        bytes.writeUInt32BE(stream, dataAt + 5);
        hasAnswer = false;
        sentAt = performance.now();
        // A copy: another connection may use the same call before this one is written.
        socket.write(Buffer.from(bytes));
      };
      const take = (type: number, flags: number, of: number, body: Buffer): void => {
        if (type === frame.settings && (flags & flag.ack) === 0)
          socket.write(frameOf(frame.settings, flag.ack, 0, Buffer.alloc(0)));
        else if (type === frame.ping && (flags & flag.ack) === 0)
          socket.write(frameOf(frame.ping, flag.ack, 0, Buffer.from(body)));
        else if (type === frame.goAway) reject(new Error('the server ended the connection'));
        if (of !== stream) return;
        if (type === frame.data && body.length > 0) hasAnswer = true;
        if ((type === frame.data || type === frame.headers) && (flags & flag.endStream) !== 0) {
          latencies.push(performance.now() - sentAt);
          if (!hasAnswer) failures += 1;
          send();
        }
      };
      socket.on('connect', () => {
        const window = Buffer.alloc(6);
        window.writeUInt16BE(4, 0);
        window.writeUInt32BE(windowMax, 2);
        const more = Buffer.alloc(4);
        more.writeUInt32BE(windowMax - windowDefault, 0);
        socket.write(Buffer.concat([preface, frameOf(frame.settings, 0, 0, window)]));
        socket.write(frameOf(frame.windowUpdate, 0, 0, more));
        send();
      });
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
        let at = 0;
        while (unread.length - at >= headerBytes) {
          const end = at + headerBytes + unread.readUIntBE(at, 3);
          if (unread.length < end) break;
          const of = unread.readUInt32BE(at + 5) & 0x7fff_ffff;
          take(unread[at + 3]!, unread[at + 4]!, of, unread.subarray(at + headerBytes, end));
          at = end;
        }
        unread = unread.subarray(at);
      });
    });
  await Promise.all(Array.from({ length: options.connections }, runConnection));
  return loadResult(latencies, (performance.now() - startedAt) / 1000, failures);
}
