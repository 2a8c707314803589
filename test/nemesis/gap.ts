/**
 * Steady load of one kind, and what its user feels of a fault: the longest time between two
 * answers of one client, and how many requests failed. Always: a client has one request at a time.
 */
export interface Feel {
  /** Longest time without an answer at one client, ms. */
  readonly gapMs: number;
  readonly failedCount: number;
  readonly okCount: number;
  /** The first few. */
  readonly errors: readonly string[];
}

export interface Load {
  /** Waits for what is in flight. */
  stop(): Promise<Feel>;
}

const errorsMax = 5;
/** Between an answer and the next request: gaps shorter than this do not show. */
const pauseMs = 5;

export function startLoad(
  clientCount: number,
  /** @param turn - counts over all clients, so that `turn % clientCount` is the client */
  request: (turn: number) => Promise<unknown>,
): Load {
  const errors: string[] = [];
  let isStopping = false;
  let failedCount = 0;
  let okCount = 0;
  let gapMs = 0;
  const runs = Array.from({ length: clientCount }, async (_, i) => {
    let answeredAt = performance.now();
    for (let turn = 0; !isStopping; turn += 1) {
      try {
        await request(turn * clientCount + i);
        const now = performance.now();
        gapMs = Math.max(gapMs, now - answeredAt);
        answeredAt = now;
        okCount += 1;
      } catch (error) {
        failedCount += 1;
        if (errors.length < errorsMax) errors.push(describe(error));
      }
      await new Promise<void>((resolve) => void setTimeout(resolve, pauseMs));
    }
    // A client that has no answer at the end has waited until now.
    gapMs = Math.max(gapMs, performance.now() - answeredAt);
  });
  return {
    async stop() {
      isStopping = true;
      await Promise.all(runs);
      return { gapMs, failedCount, okCount, errors };
    },
  };
}

function describe(error: unknown): string {
  const { data, cause } = error as { data?: unknown; cause?: unknown };
  const reason = data === undefined ? '' : JSON.stringify(data);
  return `${String(error)} ${reason} ${cause instanceof Error ? cause.message : ''}`.trim();
}
