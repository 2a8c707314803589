/**
 * A closed-loop gRPC load over raw sockets, as http-load.ts is for REST: prebuilt messages in HTTP/2 frames (RFC 9113), one
 * call in flight on each connection, answers only told apart from failures. Costs the client little, so that on two cores
 * the server's cost shows.
 * Always: no more is sent than the server's windows let, in frames as long as every server takes.
 */
import { connect, type Socket } from 'node:net';
import { loadResult, type LoadResult } from './http-load.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const frame = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;
const flag = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const windowMax = 2 ** 31 - 1;
const windowDefault = 65_535;
const headerBytes = 9;
/** What a server takes that has said nothing else. */
const frameBytesMax = 16_384;
const initialWindowSetting = 4;

function frameHead(type: number, flags: number, stream: number, bodyBytes: number): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUIntBE(bodyBytes, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head;
}

function frameOf(type: number, flags: number, stream: number, body: Buffer): Buffer {
  return Buffer.concat([frameHead(type, flags, stream, body.length), body]);
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

/** gRPC's prefix and the message: what the frames of a call carry. */
function prefixed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function openingFrames(): Buffer {
  const window = Buffer.alloc(6);
  window.writeUInt16BE(initialWindowSetting, 0);
  window.writeUInt32BE(windowMax, 2);
  const more = Buffer.alloc(4);
  more.writeUInt32BE(windowMax - windowDefault, 0);
  return Buffer.concat([
    preface,
    frameOf(frame.settings, 0, 0, window),
    frameOf(frame.windowUpdate, 0, 0, more),
  ]);
}

/** One call after the other over one connection. */
class Calls {
  private readonly socket: Socket;
  private readonly headers: Buffer;
  private readonly onDone: (hasAnswer: boolean) => void;
  private stream = -1;
  private data: Buffer = Buffer.alloc(0);
  private sent = 0;
  private hasAnswer = false;
  private initialWindow = windowDefault;
  private streamWindow = 0;
  private connectionWindow = windowDefault;

  constructor(socket: Socket, headers: Buffer, onDone: (hasAnswer: boolean) => void) {
    this.socket = socket;
    this.headers = headers;
    this.onDone = onDone;
  }

  send(data: Buffer): void {
    this.stream += 2;
    this.data = data;
    this.sent = 0;
    this.streamWindow = this.initialWindow;
    this.hasAnswer = false;
    this.socket.cork();
    this.socket.write(frameOf(frame.headers, flag.endHeaders, this.stream, this.headers));
    this.pump();
    this.socket.uncork();
  }

  /** @returns false when the server ends the connection */
  take(type: number, flags: number, of: number, body: Buffer): boolean {
    if (type === frame.settings && (flags & flag.ack) === 0) this.takeSettings(body);
    else if (type === frame.ping && (flags & flag.ack) === 0)
      this.socket.write(frameOf(frame.ping, flag.ack, 0, Buffer.from(body)));
    else if (type === frame.goAway) return false;
    else if (type === frame.windowUpdate) this.takeWindow(of, body.readUInt32BE(0));
    else if (of === this.stream && (type === frame.data || type === frame.headers)) {
      if (type === frame.data && body.length > 0) this.hasAnswer = true;
      if ((flags & flag.endStream) !== 0) this.onDone(this.hasAnswer);
    } else if (of === this.stream && type === frame.resetStream) this.onDone(false);
    return true;
  }

  private takeSettings(body: Buffer): void {
    for (let at = 0; at + 6 <= body.length; at += 6) {
      if (body.readUInt16BE(at) !== initialWindowSetting) continue;
      const window = body.readUInt32BE(at + 2);
      this.streamWindow += window - this.initialWindow;
      this.initialWindow = window;
    }
    this.socket.write(frameOf(frame.settings, flag.ack, 0, Buffer.alloc(0)));
    this.pump();
  }

  private takeWindow(of: number, bytes: number): void {
    if (of === 0) this.connectionWindow += bytes;
    else if (of === this.stream) this.streamWindow += bytes;
    this.pump();
  }

  /** Sends as much of the message as the windows let. */
  private pump(): void {
    this.socket.cork();
    while (this.sent < this.data.length) {
      const left = this.data.length - this.sent;
      const bytes = Math.min(left, frameBytesMax, this.streamWindow, this.connectionWindow);
      if (bytes <= 0) break;
      const flags = bytes === left ? flag.endStream : 0;
      this.socket.write(frameHead(frame.data, flags, this.stream, bytes));
      this.socket.write(this.data.subarray(this.sent, this.sent + bytes));
      this.sent += bytes;
      this.streamWindow -= bytes;
      this.connectionWindow -= bytes;
    }
    this.socket.uncork();
  }
}

/**
 * Sends messages[0..], each once or round and round until `seconds` have passed.
 * @param method - "/qdrant.Points/Query"
 */
export async function runGrpcLoad(
  port: number,
  method: string,
  messages: readonly Buffer[],
  options: { connections: number; seconds?: number },
): Promise<LoadResult> {
  const datas = messages.map(prefixed);
  const headers = headerBlock(method);
  const latencies: number[] = [];
  let [next, failures] = [0, 0];
  const startedAt = performance.now();
  const endAt = options.seconds === undefined ? Infinity : startedAt + options.seconds * 1000;
  const take = (): Buffer | undefined => {
    if (options.seconds === undefined) return datas[next++];
    return performance.now() < endAt ? datas[next++ % datas.length] : undefined;
  };
  const runConnection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let unread: Buffer = Buffer.alloc(0);
      let sentAt = 0;
      const send = (): void => {
        const data = take();
        if (data === undefined) {
          socket.destroy();
          resolve();
          return;
        }
        sentAt = performance.now();
        calls.send(data);
      };
      const calls = new Calls(socket, headers, (hasAnswer) => {
        latencies.push(performance.now() - sentAt);
        if (!hasAnswer) failures += 1;
        send();
      });
      socket.on('connect', () => {
        socket.write(openingFrames());
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
          if (!calls.take(unread[at + 3]!, unread[at + 4]!, of, unread.subarray(at + headerBytes, end)))
            reject(new Error('the server ended the connection'));
          at = end;
        }
        unread = unread.subarray(at);
      });
    });
  await Promise.all(Array.from({ length: options.connections }, runConnection));
  return loadResult(latencies, (performance.now() - startedAt) / 1000, failures);
}
