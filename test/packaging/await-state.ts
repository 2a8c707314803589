/** Waits for a state of the world outside this process, which only asking again can show; never without a deadline. */
const askAgainMs = 250;

/** @throws Error naming what was awaited and the last answer, past the deadline */
export async function awaitState(
  what: string,
  deadlineMs: number,
  look: () => Promise<true | string> | true | string,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await Promise.resolve()
      .then(look)
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (answer === true) return;
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms; last: ${answer}`);
    await new Promise<void>((resolve) => setTimeout(resolve, askAgainMs));
  }
}
