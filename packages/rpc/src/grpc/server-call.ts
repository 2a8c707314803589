/**
 * The server's end of one gRPC call, on one stream of node:http2.
 * Always: it ends with one status, unless the client has gone; what the client sends after that is let go. Nothing that a client
 * sends makes it throw.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Env } from '@quiver/env';
import { grpcCode } from '../status.ts';
import {
  answerHeaders,
  checkMetadata,
  metadataOf,
  okTrailers,
  timeoutMs,
  trailersOf,
  trailersOnly,
  type CallStatus,
} from './headers.ts';
import { isEncoding, inflate } from './inflate.ts';
import { MessageReader, prefixBytes } from './message-reader.ts';
import { StatusError } from './status-error.ts';

/** Takes what a client streams. */
export interface MessageSink {
  /** May be a view of a larger piece. */
  message(bytes: Buffer): void;
  /** The client sends no more. */
  end(): void;
}

/** What is called by its path. Neither function may throw. */
export type ServerMethod =
  | {
      readonly path: string;
      readonly requestStream: false;
      /** The one message, once the client has sent all; it may be a view of a larger piece. */
      readonly take: (call: ServerCall, request: Buffer) => void;
    }
  | {
      readonly path: string;
      readonly requestStream: true;
      readonly open: (call: ServerCall) => MessageSink;
    };

export interface ServerCallOptions {
  readonly env: Env;
  readonly messageBytesMax: number;
  /** Unary calls whose request has not come whole; each takes itself out. */
  readonly receiving: Set<ServerCall>;
}

/** `sendDate`: Node would write a date into `answerHeaders` themselves. */
const withTrailers = { waitForTrailers: true, sendDate: false } as const;
const nothingElse = { endStream: true } as const;
/** An error of a stream is followed by its end, and there is nobody to tell. */
const ignore = (): void => undefined;
/** Longer messages are not copied behind their prefix. */
const copiedBytesMax = 65_536;

export class ServerCall {
  readonly path: string;
  /** Milliseconds since the epoch; null = the client set none. */
  readonly deadlineWallMs: number | null = null;
  private readonly stream: ServerHttp2Stream;
  private readonly headers: IncomingHttpHeaders;
  private readonly method: ServerMethod;
  private readonly options: ServerCallOptions;
  private readonly reader: MessageReader;
  private readonly cancelDeadline: (() => void) | null = null;
  private sink: MessageSink | null = null;
  private request: Buffer | null = null;
  private trailer: Record<string, string> | null = null;
  /** Its status is given, or nobody waits for it. */
  private isOver = false;
  private isHalfClosed = false;
  /** Reasons not to read on: a message is being decompressed, the client does not read its answers. */
  private holds = 0;
  /** Bytes came since `isStalled` was asked. */
  private hasNews = true;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    method: ServerMethod,
    options: ServerCallOptions,
  ) {
    this.stream = stream;
    this.headers = headers;
    this.method = method;
    this.path = method.path;
    this.options = options;
    this.reader = new MessageReader(options.messageBytesMax);
    stream.on('error', ignore);
    const timeout = headers['grpc-timeout'];
    if (timeout !== undefined) {
      const afterMs = timeoutMs(String(timeout));
      if (afterMs === null) {
        this.fail({ code: grpcCode.internal, details: `Invalid grpc-timeout value "${String(timeout)}"` });
        return;
      }
      this.deadlineWallMs = options.env.wallNow() + afterMs;
      this.cancelDeadline = options.env.after(afterMs, () =>
        this.fail({ code: grpcCode.deadlineExceeded, details: 'Deadline exceeded' }),
      );
    }
    stream.on('close', () => this.over());
    if (method.requestStream) this.sink = method.open(this);
    else options.receiving.add(this);
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    stream.on('end', () => this.onEnd());
  }

  /** The first value of a metadata key (lower case). */
  metadata(key: string): string | undefined {
    return metadataOf(this.headers, key);
  }

  /** True once the client is gone or gave up, and after the answer. */
  isCancelled(): boolean {
    return this.isOver || this.stream.destroyed || this.stream.closed;
  }

  /** Adds a line to the metadata that ends the answer. */
  answerWith(key: string, value: string): void {
    checkMetadata(key, value);
    (this.trailer ??= {})[key] = value;
  }

  /** The one message of a unary call, and the end. */
  answer(message: Buffer): void {
    if (this.isCancelled()) return;
    this.send(message);
    this.end();
  }

  /** Headers without a message yet: the client learns that the call has begun. */
  sendHeaders(): void {
    if (this.isCancelled() || this.stream.headersSent) return;
    this.stream.respond(answerHeaders, withTrailers);
  }

  /** @returns false: the client does not keep up. `onSent` is called when the message has left this process's hands. */
  send(message: Buffer, onSent?: () => void): boolean {
    if (this.isCancelled()) return false;
    this.sendHeaders();
    const { stream } = this;
    const isCopied = message.length <= copiedBytesMax;
    const head = Buffer.allocUnsafe(prefixBytes + (isCopied ? message.length : 0));
    head[0] = 0;
    head.writeUInt32BE(message.length, 1);
    let keepsUp: boolean;
    if (isCopied) {
      head.set(message, prefixBytes);
      keepsUp = stream.write(head, onSent);
    } else {
      stream.cork();
      stream.write(head);
      keepsUp = stream.write(message, onSent);
      stream.uncork();
    }
    if (!keepsUp && this.sink !== null && this.holds === 0) {
      this.hold();
      stream.once('drain', () => this.release());
    }
    return keepsUp;
  }

  end(): void {
    if (this.isCancelled()) return;
    this.finish(this.trailer === null ? okTrailers : { ...okTrailers, ...this.trailer });
  }

  fail(status: CallStatus): void {
    if (this.isCancelled()) return;
    this.finish(trailersOf(status));
  }

  /** `notify` is called once, later, when the call is over on both sides or the client is gone, also when it is so already. */
  onGone(notify: () => void): void {
    if (this.stream.destroyed) queueMicrotask(notify);
    else this.stream.once('close', notify);
  }

  /** True when no byte of the request came since this was last asked. */
  isStalled(): boolean {
    const { hasNews } = this;
    this.hasNews = false;
    return !hasNews && this.holds === 0;
  }

  private finish(trailers: OutgoingHttpHeaders): void {
    const { stream } = this;
    this.over();
    if (!stream.headersSent) {
      stream.respond(trailersOnly(trailers), nothingElse);
      this.letGo();
      return;
    }
    stream.on('wantTrailers', () => {
      stream.sendTrailers(trailers);
      // Node sends trailers in a turn of their own, and none on a stream that is closed.
      if (!this.isHalfClosed) this.options.env.soon(() => this.letGo());
    });
    stream.end();
  }

  /** What a client sends that has its status is for nobody (RFC 9113, 8.1). */
  private letGo(): void {
    if (!this.isHalfClosed) this.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  private over(): void {
    this.isOver = true;
    this.cancelDeadline?.();
    this.options.receiving.delete(this);
  }

  private onData(chunk: Buffer): void {
    if (this.isOver) return;
    this.hasNews = true;
    this.reader.push(chunk);
    this.pump();
  }

  private onEnd(): void {
    this.isHalfClosed = true;
    this.options.receiving.delete(this);
    if (this.holds === 0) this.onHalfClosed();
  }

  private pump(): void {
    try {
      while (this.holds === 0 && !this.isOver) {
        const message = this.reader.next();
        if (message === null) return;
        if (this.reader.isCompressed) this.inflate(message);
        else this.take(message);
      }
    } catch (error) {
      this.refuse(error);
    }
  }

  private inflate(message: Buffer): void {
    const encoding = this.headers['grpc-encoding'] ?? 'identity';
    if (!isEncoding(encoding)) {
      const details = `Received message compressed with unsupported encoding "${String(encoding)}"`;
      // compression.md: what was not announced is the client's mistake, what is not known our lack.
      this.fail({ code: encoding === 'identity' ? grpcCode.internal : grpcCode.unimplemented, details });
      return;
    }
    this.hold();
    inflate(encoding, message, this.options.messageBytesMax, (error, bytes) => {
      if (error !== null) this.fail({ code: error.code, details: error.message });
      else if (!this.isCancelled()) this.take(bytes);
      this.release();
    });
  }

  private hold(): void {
    this.holds += 1;
    this.stream.pause();
  }

  private release(): void {
    this.holds -= 1;
    this.pump();
    if (this.holds > 0) return;
    if (this.isHalfClosed) this.onHalfClosed();
    else this.stream.resume();
  }

  private take(message: Buffer): void {
    if (this.sink !== null) this.sink.message(message);
    else if (this.request === null) this.request = message;
    else {
      const details = `Received a second request message for unary method ${this.path}`;
      this.fail({ code: grpcCode.unimplemented, details });
    }
  }

  private onHalfClosed(): void {
    if (this.isCancelled()) return;
    if (this.reader.isWithinMessage) {
      this.fail({ code: grpcCode.internal, details: 'The request ends within a message' });
      return;
    }
    const { method, request, sink } = this;
    if (sink !== null) sink.end();
    else if (method.requestStream) return;
    else if (request !== null) {
      this.request = null;
      method.take(this, request);
    } else {
      const details = `Received no request message for unary method ${this.path}`;
      this.fail({ code: grpcCode.unimplemented, details });
    }
  }

  private refuse(error: unknown): void {
    const code = error instanceof StatusError ? error.code : grpcCode.internal;
    this.fail({ code, details: error instanceof Error ? error.message : String(error) });
  }
}
