/**
 * Bodies into values: short ones at once, long ones in steps between which the thread does other work, so that searches do not
 * wait for uploads. Always: what a scan gave out is used before the next scan by the same scanner; long bodies take turns.
 */
import { ClusterError } from '@quiver/model';
import { createBodyScanner, type BodyScanner } from '@quiver/wire';
import { longBodyBytes } from '../long-bodies.ts';
import { jsonErrorText } from './body.ts';
import type { Marks } from './decode/vector.ts';
import type { Chunks, Exchange } from './exchange.ts';

export interface ScannedBody {
  readonly doc: unknown;
  readonly marks: Marks;
  /** The document and its marks were read: they are gone. May be called again. */
  release(): void;
}

export interface BodyScan {
  /** Releases the exchange's body. @throws ClusterError malformed, at once or later */
  scan(exchange: Exchange, chunks: Chunks): ScannedBody | Promise<ScannedBody>;
  /** The same without marks, for bodies that bring no points. */
  parse(exchange: Exchange, chunks: Chunks): ScannedBody;
}

const nothing = (): void => undefined;

/** @param soon - runs a task after what waits for the thread */
export function createBodyScan(soon: (task: () => void) => void): BodyScan {
  const scanner = createBodyScanner();
  let longScanner: BodyScanner | null = null;
  /** Resolves when the long body before has been read. */
  let turn: Promise<void> = Promise.resolve();
  const pause = (): Promise<void> => new Promise((resolve) => soon(resolve));

  async function scanLong(exchange: Exchange, chunks: Chunks): Promise<ScannedBody> {
    const before = turn;
    const { promise, resolve: release } = Promise.withResolvers<undefined>();
    turn = promise;
    await before;
    longScanner ??= createBodyScanner();
    const body = { isTaken: false };
    const onTaken = (): void => {
      body.isTaken = true;
      exchange.releaseBody();
    };
    try {
      const doc = await longScanner.scanInSteps(chunks, true, pause, onTaken);
      // Decoding it takes some milliseconds more.
      await pause();
      return { doc, marks: longScanner, release: () => release(undefined) };
    } catch (error) {
      if (!body.isTaken) exchange.releaseBody();
      release(undefined);
      throw malformedBody(error, false);
    }
  }

  function atOnce(exchange: Exchange, chunks: Chunks, read: () => unknown): ScannedBody {
    try {
      return { doc: read(), marks: scanner, release: nothing };
    } catch (error) {
      throw malformedBody(error, lengthOf(chunks) === 0);
    } finally {
      exchange.releaseBody();
    }
  }

  return {
    scan(exchange, chunks) {
      if (lengthOf(chunks) >= longBodyBytes) return scanLong(exchange, chunks);
      return atOnce(exchange, chunks, () => scanner.scan(chunks, true));
    },
    parse: (exchange, chunks) => atOnce(exchange, chunks, () => scanner.parse(chunks)),
  };
}

function lengthOf(chunks: Chunks): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

/** What the scanner threw, as the client is told. */
export function malformedBody(error: unknown, isEmpty: boolean): unknown {
  if (!(error instanceof SyntaxError)) return error;
  return new ClusterError('malformed', jsonErrorText(error, isEmpty), { cause: error });
}
