/** SIGTERM and SIGINT stop the process once, in order; a second one ends it at once. */
export function onStopSignal(stop: (signal: NodeJS.Signals) => Promise<void>): void {
  let isStopping = false;
  const receive = (signal: NodeJS.Signals): void => {
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
}
