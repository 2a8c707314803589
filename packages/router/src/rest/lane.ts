/**
 * The fast lane: requests of the usual kind are read right off the socket and answered in one write, at half the cost of
 * node:http's parser and streams (figures in docs/benchmarks/tried.md). A connection that sends anything else is handed to
 * node:http with its unread bytes, and stays there.
 * Always: a connection has one request under way, answers leave in the order of the requests; a body is held only up to its
 * announced length, which is checked first, and a long one is read in turns with what else the thread has to do; what comes while a
 * request is under way waits in the kernel but for one chunk.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Env } from '@quiver/env';
import type { Chunks, Exchange } from './exchange.ts';
import { releaseChunks } from './node-exchange.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';

export interface LaneOptions {
  readonly handle: (exchange: Exchange) => void;
  /** Takes a connection whose next request the lane does not read; its bytes come as the next data. */
  readonly handOver: (socket: Socket) => void;
  /** Longer bodies are left to node:http, which refuses them. */
  readonly bodyBytesMax: number;
  /** Idle connections are closed after it, and a second. */
  readonly keepAliveMs: number;
  readonly env: Env;
}

export interface Lane {
  take(socket: Socket): void;
  closeIdle(): void;
  closeAll(): void;
}

const headEnd = Buffer.from('\r\n\r\n');
/** As node:http's. */
const headBytesMax = 16 * 1024;
/** The client was told a time: it may just be sending at its end. */
const keepAliveSlackMs = 1_000;
/** From the head to the end of the body, as node:http's. */
const bodyMsMax = 300_000;
const sweepMs = 5_000;
/** Of a body, before others get their turn: a fifth of a millisecond of copying. Left to itself, libuv reads 2 MiB of a connection at a time. */
const turnBytesMax = 256 * 1024;
/** Answers up to here are put together in one buffer that the thread keeps. */
const shortAnswerBytes = 64 * 1024;
const badRequest = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';
const requestTimeout = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

export function createLane(options: LaneOptions): Lane {
  const { env, keepAliveMs } = options;
  const connections = new Set<Connection>();
  const writer = createAnswerWriter(env, keepAliveMs);
  let isSweeping = false;

  function sweep(): void {
    isSweeping = false;
    const nowMs = env.now();
    for (const connection of connections) connection.expire(nowMs, keepAliveMs + keepAliveSlackMs);
    planSweep();
  }

  function planSweep(): void {
    if (isSweeping || connections.size === 0) return;
    isSweeping = true;
    env.after(sweepMs, sweep);
  }

  return {
    take(socket) {
      const connection = new Connection(socket, options, writer, () => connections.delete(connection));
      connections.add(connection);
      planSweep();
    },
    closeIdle() {
      for (const connection of connections) if (connection.isIdle) connection.destroy();
    },
    closeAll() {
      for (const connection of connections) connection.destroy();
    },
  };
}

class Connection {
  readonly #socket: Socket;
  readonly #options: LaneOptions;
  readonly #writer: AnswerWriter;
  readonly #onLeft: () => void;
  /** What came and was not read yet. */
  readonly #unread: Buffer[] = [];
  /** Of the request whose body is not whole yet, and of its body what is there. */
  #head: RequestHead | null = null;
  #body: Uint8Array[] = [];
  #whole: Uint8Array[] = [];
  #missingBytes = 0;
  #current: LaneExchange | null = null;
  /** When it became idle, or its head came. */
  #sinceMs: number;
  #isReading = false;
  #isPaused = false;
  /** In the middle of a body; it is read on at the next turn. */
  #isResting = false;
  /** Of the body, since its last turn. */
  #turnBytes = 0;
  /** The client takes no answers at the moment. */
  #isFull = false;
  /** The client sends nothing more. */
  #hasEnded = false;
  /** Handed over, closed or closing. */
  #isOver = false;

  constructor(socket: Socket, options: LaneOptions, writer: AnswerWriter, onLeft: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#writer = writer;
    this.#onLeft = onLeft;
    this.#sinceMs = options.env.now();
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  get isIdle(): boolean {
    return this.#current === null && this.#head === null;
  }

  /** Ends what waits for its client for too long. */
  expire(nowMs: number, idleMsMax: number): void {
    const waitedMs = nowMs - this.#sinceMs;
    if (this.isIdle && waitedMs > idleMsMax) this.destroy();
    else if (this.#head !== null && waitedMs > bodyMsMax) this.#refuse(requestTimeout);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  answer(
    exchange: LaneExchange,
    status: number,
    lines: readonly string[],
    body: Uint8Array,
    isLast: boolean,
  ): void {
    if (this.#current !== exchange) return;
    this.#current = null;
    if (this.#socket.destroyed) return;
    this.#isFull = !this.#writer.write(this.#socket, status, lines, body, isLast);
    if (isLast) {
      this.#isOver = true;
      this.#socket.end(() => this.#socket.destroy());
      return;
    }
    this.#sinceMs = this.#options.env.now();
    this.#read();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#unread.push(chunk);
    this.#read();
    this.#endTurn(chunk.length);
  };

  readonly #onDrain = (): void => {
    this.#isFull = false;
    this.#read();
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.#read();
  };

  readonly #onError = (): void => undefined;

  readonly #onClose = (): void => {
    this.#isOver = true;
    this.#onLeft();
  };

  /** Goes on as far as it can: to the end of what came, or to a request that is not answered yet. */
  #read(): void {
    // An answer may come while its request is handled: the loop below goes on then.
    if (this.#isReading) return;
    this.#isReading = true;
    while (!this.#isOver && !this.#isFull && this.#current === null && this.#unread.length > 0) {
      const chunk = this.#unread.shift()!;
      if (this.#head === null) this.#readHead(chunk);
      else this.#readBody(chunk, 0);
    }
    this.#isReading = false;
    if (this.#isOver) return;
    const mustWait = this.#unread.length > 0;
    if (mustWait !== this.#isPaused) {
      this.#isPaused = mustWait;
      if (mustWait) this.#socket.pause();
      else if (!this.#isResting) this.#socket.resume();
    }
    if (this.#hasEnded && !mustWait && this.#current === null) {
      if (this.#head !== null) this.#refuse(badRequest);
      else this.#socket.end();
    }
  }

  /** In the middle of a body, when enough was read of it: what else waits for the thread comes first. */
  #endTurn(bytes: number): void {
    this.#turnBytes = this.#missingBytes === 0 ? 0 : this.#turnBytes + bytes;
    if (this.#turnBytes < turnBytesMax || this.#isResting || this.#isOver) return;
    this.#isResting = true;
    this.#socket.pause();
    this.#options.env.soon(() => {
      this.#isResting = false;
      this.#turnBytes = 0;
      if (!this.#isPaused && !this.#isOver) this.#socket.resume();
    });
  }

  #readHead(chunk: Buffer): void {
    const end = chunk.indexOf(headEnd);
    const head = end < 0 || end > headBytesMax ? null : parseRequestHead(chunk.toString('latin1', 0, end));
    if (head === null || head.bodyBytes > this.#options.bodyBytesMax) {
      this.#leave(chunk);
      return;
    }
    this.#head = head;
    this.#missingBytes = head.bodyBytes;
    this.#sinceMs = this.#options.env.now();
    this.#readBody(chunk, end + headEnd.length);
  }

  #readBody(chunk: Buffer, from: number): void {
    const to = Math.min(chunk.length, from + this.#missingBytes);
    if (to > from) this.#body.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
    if (to === chunk.length) this.#whole.push(chunk);
    else this.#unread.unshift(chunk.subarray(to));
    this.#missingBytes -= to - from;
    if (this.#missingBytes > 0) return;
    const exchange = new LaneExchange(this, this.#head!, this.#body, this.#whole);
    this.#head = null;
    this.#body = [];
    this.#whole = [];
    this.#current = exchange;
    this.#options.handle(exchange);
  }

  /** To node:http, with everything from `chunk` on. */
  #leave(chunk: Buffer): void {
    const socket = this.#socket;
    if (this.#hasEnded) {
      this.#refuse(badRequest);
      return;
    }
    this.#isOver = true;
    socket.off('data', this.#onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    this.#onLeft();
    socket.unshift(this.#unread.length === 0 ? chunk : Buffer.concat([chunk, ...this.#unread]));
    this.#options.handOver(socket);
    if (this.#isPaused) socket.resume();
  }

  #refuse(answer: string): void {
    this.#isOver = true;
    this.#socket.end(answer, () => this.#socket.destroy());
  }
}

class LaneExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly #connection: Connection;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #chunks: Chunks;
  readonly #whole: Chunks;

  /** @param whole - chunks off the socket of which nothing belongs to another request */
  constructor(connection: Connection, head: RequestHead, chunks: Chunks, whole: Chunks) {
    this.method = head.method;
    this.url = head.url;
    this.#connection = connection;
    this.#headers = head.headers;
    this.#chunks = chunks;
    this.#whole = whole;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  body(): Chunks {
    return this.#chunks;
  }

  releaseBody(): void {
    releaseChunks(this.#whole);
  }

  discardBody(): void {
    // It was read: longer ones than are taken never come here.
  }

  answer(status: number, lines: readonly string[], body: Uint8Array, isLast: boolean): void {
    this.#connection.answer(this, status, lines, body, isLast);
  }
}

interface AnswerWriter {
  /** False: the client must read before it gets more. */
  write(socket: Socket, status: number, lines: readonly string[], body: Uint8Array, isLast: boolean): boolean;
}

function createAnswerWriter(env: Env, keepAliveMs: number): AnswerWriter {
  const stays = `\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1_000)}\r\n\r\n`;
  const ends = '\r\nConnection: close\r\n\r\n';
  let buffer = Buffer.allocUnsafeSlow(shortAnswerBytes);
  let dateSecond = -1;
  let date = '';

  function dateNow(): string {
    const second = Math.floor(env.wallNow() / 1_000);
    if (second !== dateSecond) {
      dateSecond = second;
      date = new Date(second * 1_000).toUTCString();
    }
    return date;
  }

  return {
    write(socket, status, lines, body, isLast) {
      let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
      for (let i = 0; i < lines.length; i += 2) head += `${lines[i]}: ${lines[i + 1]}\r\n`;
      head += `content-length: ${body.length}\r\nDate: ${dateNow()}${isLast ? ends : stays}`;
      const bytes = head.length + body.length;
      const isShort = bytes <= shortAnswerBytes;
      const answer = isShort ? buffer.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes);
      answer.write(head, 0, 'latin1');
      answer.set(body, head.length);
      const mayGoOn = socket.write(answer);
      // The kernel did not take all of it: the rest lies in the buffer until it does.
      if (isShort && socket.writableLength > 0) buffer = Buffer.allocUnsafeSlow(shortAnswerBytes);
      return mayGoOn;
    },
  };
}
