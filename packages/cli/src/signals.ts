/**
 * SIGTERM and SIGINT stop the process once, in order; a second one ends it at once. Always: from the first line of the
 * start on, the process ends with 0 when it is asked to; what is only starting has nothing to finish, because every
 * acknowledged change is durable already.
 */
export interface StopSignals {
  /** From now on a signal calls `stop`, which ends the process. */
  use(stop: (signal: NodeJS.Signals) => Promise<void>): void;
}

export function receiveStopSignals(): StopSignals {
  let stop: ((signal: NodeJS.Signals) => Promise<void>) | null = null;
  let isStopping = false;
  const receive = (signal: NodeJS.Signals): void => {
    if (stop === null) process.exit(0);
    if (isStopping) process.exit(1);
    isStopping = true;
    stop(signal).catch((error: unknown) => {
      process.stderr.write(
        `quiver: stopping failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
      process.exit(1);
    });
  };
  process.on('SIGTERM', receive);
  process.on('SIGINT', receive);
  return {
    use(next) {
      stop = next;
    },
  };
}
