/** One gRPC call by hand over node:http2, for tests: any headers, any bytes in any pieces, and all that came back. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';

export interface RawAnswer {
  /** ':status' */
  readonly http: number | undefined;
  /** 'grpc-status', from headers or trailers. */
  readonly status: string | undefined;
  /** 'grpc-message', decoded. */
  readonly text: string | undefined;
  readonly isTrailersOnly: boolean;
  readonly messages: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
}

export interface RawCall {
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Written one after the other, each in a DATA frame of its own. */
  readonly pieces?: readonly Buffer[];
  /** The client never says that it has sent all. */
  readonly staysOpen?: boolean;
}

export function prefixed(message: Uint8Array | string, flag = 0): Buffer {
  const bytes = Buffer.from(message as string);
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export function inPieces(bytes: Buffer, pieceBytes: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return pieces;
}

export function openRaw(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  return session;
}

/** Resolves when the stream is closed, whatever by. */
export function callRaw(session: ClientHttp2Session, call: RawCall): Promise<RawAnswer> {
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': call.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...call.headers,
    },
    { endStream: call.pieces === undefined && call.staysOpen !== true },
  );
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const body: Buffer[] = [];
  stream.on('response', (given) => (headers = given));
  stream.on('trailers', (given: IncomingHttpHeaders) => (trailers = given));
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  stream.on('error', () => undefined);
  const send = (at: number): void => {
    const piece = call.pieces?.[at];
    if (stream.destroyed || stream.closed) return;
    if (piece !== undefined) stream.write(piece, () => setImmediate(send, at + 1));
    else if (call.staysOpen !== true) stream.end();
  };
  if (call.pieces !== undefined) send(0);
  return new Promise((resolve) => {
    stream.on('close', () => {
      const status = trailers['grpc-status'] ?? headers['grpc-status'];
      const text = trailers['grpc-message'] ?? headers['grpc-message'];
      resolve({
        http: headers[':status'] as number | undefined,
        status: status as string | undefined,
        text: text === undefined ? undefined : decodeURIComponent(text as string),
        isTrailersOnly: headers['grpc-status'] !== undefined,
        messages: messagesOf(Buffer.concat(body)),
        headers,
        trailers,
      });
    });
  });
}

function messagesOf(body: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at + 5 <= body.length;) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push(body.subarray(at + 5, end).toString());
    at = end;
  }
  return messages;
}
