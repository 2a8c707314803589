/**
 * A TCP proxy for the connections that one node opens to one other: it listens on a loopback port, and each connection
 * it takes becomes one to the target. Bytes from the opener go `forward`, the answers `backward`; each direction has a
 * fault of its own, changed while connections live. A connection that arrives while either direction is a blackhole is
 * not carried on to the target until both pass: a handshake needs both.
 */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { noFault, Shaper, type Fault } from './shaper.ts';

export type Direction = 'forward' | 'backward';

export interface Target {
  readonly host: string;
  readonly port: number;
}

const connectionsMax = 1_024;
/** Held in one direction of one connection before its source is read no further. */
const queuedBytesMax = 1 << 20;

/** A proxy that listens. `close` ends it and every connection through it. */
export class Link {
  readonly #server: Server;
  readonly #target: Target;
  readonly #connections = new Set<Connection>();
  readonly #faults = { forward: noFault, backward: noFault };
  #refuses = false;

  private constructor(server: Server, target: Target) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (socket) => this.carry(socket));
  }

  static async open(target: Target): Promise<Link> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new Link(server, target);
  }

  /** The loopback port to connect to instead of the target's. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  setFault(direction: Direction, fault: Partial<Fault>): void {
    this.#faults[direction] = { ...noFault, ...fault };
    for (const connection of this.#connections) connection.setFault(direction, this.#faults[direction]);
  }

  /** Ends every connection at both ends with RST; bytes held are gone. */
  reset(): void {
    for (const connection of [...this.#connections]) connection.reset();
  }

  /** While true, new connections end at once with RST, as on a host that runs but does not serve. */
  setRefusing(refuses: boolean): void {
    this.#refuses = refuses;
  }

  /** No faults; connections that live go on. */
  heal(): void {
    this.setRefusing(false);
    this.setFault('forward', noFault);
    this.setFault('backward', noFault);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.reset();
    await closed;
  }

  /** A connection that another listener took for this link, and has read nothing of. */
  carry(socket: Socket): void {
    if (this.#refuses || this.#connections.size >= connectionsMax) {
      socket.on('error', ignoreError);
      socket.resetAndDestroy();
      return;
    }
    const onGone = (): void => void this.#connections.delete(connection);
    const connection = new Connection(socket, this.#target, { ...this.#faults }, onGone);
    this.#connections.add(connection);
  }
}

/** What ends a connection also closes it, and that is where it is handled. */
function ignoreError(): void {
  return;
}

class Connection {
  readonly #opener: Socket;
  readonly #target: Target;
  readonly #onGone: () => void;
  readonly #faults: Record<Direction, Fault>;
  #flows: Record<Direction, Flow> | undefined;
  #dialled: Socket | undefined;

  constructor(opener: Socket, target: Target, faults: Record<Direction, Fault>, onGone: () => void) {
    this.#opener = opener;
    this.#target = target;
    this.#faults = faults;
    this.#onGone = onGone;
    opener.setNoDelay(true);
    opener.on('error', ignoreError);
    opener.once('close', () => this.#endBy('forward'));
    this.#dial();
  }

  setFault(direction: Direction, fault: Fault): void {
    this.#faults[direction] = fault;
    this.#flows?.[direction].setFault(fault);
    if (this.#dialled === undefined) this.#dial();
  }

  reset(): void {
    for (const flow of Object.values(this.#flows ?? {})) flow.stop();
    this.#opener.resetAndDestroy();
    this.#dialled?.resetAndDestroy();
    this.#onGone();
  }

  /** Called at once and again at every change of faults, until both directions pass. */
  #dial(): void {
    if (this.#faults.forward.blackhole || this.#faults.backward.blackhole || this.#opener.destroyed) return;
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    this.#dialled = target;
    target.on('error', ignoreError);
    target.once('close', () => this.#endBy('backward'));
    target.once('connect', () => {
      this.#flows = { forward: new Flow(this.#opener, target), backward: new Flow(target, this.#opener) };
      this.#flows.forward.setFault(this.#faults.forward);
      this.#flows.backward.setFault(this.#faults.backward);
    });
  }

  /** The source of that direction is gone for good: the other end hears of it as soon as the fault lets it. */
  #endBy(direction: Direction): void {
    const flow = this.#flows?.[direction];
    if (flow === undefined) this.reset();
    else flow.finish(() => this.reset());
  }
}

/** Bytes from one socket to another, through a shaper. */
class Flow {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #shaper = new Shaper();
  #timer: NodeJS.Timeout | undefined;
  #isBlackhole = false;
  #sourceEnded = false;
  #onEmpty: (() => void) | undefined;

  constructor(source: Socket, sink: Socket) {
    this.#source = source;
    this.#sink = sink;
    source.on('data', (bytes: Buffer) => {
      this.#shaper.push(bytes, performance.now());
      if (this.#shaper.queuedBytes >= queuedBytesMax) source.pause();
      this.#pump();
    });
    source.once('end', () => {
      this.#sourceEnded = true;
      this.#pump();
    });
    sink.on('drain', () => this.#pump());
    source.resume();
  }

  setFault(fault: Fault): void {
    this.#isBlackhole = fault.blackhole;
    this.#shaper.setFault(fault);
    this.#pump();
  }

  /** Calls back once all bytes have left and the fault lets the end itself pass. */
  finish(onEmpty: () => void): void {
    this.#onEmpty = onEmpty;
    this.#pump();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#sink.writableNeedDrain) return;
    const nowMs = performance.now();
    for (const bytes of this.#shaper.take(nowMs)) if (this.#sink.writable) this.#sink.write(bytes);
    const held = this.#shaper.queuedBytes;
    if (held < queuedBytesMax && this.#source.isPaused()) this.#source.resume();
    const nextMs = this.#shaper.nextMs(nowMs);
    if (nextMs !== Infinity) this.#timer = setTimeout(() => this.#pump(), Math.max(0, nextMs - nowMs));
    if (held > 0 || this.#isBlackhole) return;
    if (this.#sourceEnded && this.#sink.writable) this.#sink.end();
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    // After `end` the sink closes by itself once its own side ends; a source that broke off takes it along at once.
    if (onEmpty !== undefined && (!this.#sourceEnded || this.#sink.destroyed)) onEmpty();
    else if (onEmpty !== undefined) this.#sink.once('close', onEmpty);
  }
}
