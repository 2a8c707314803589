/**
 * A small balancer at the client's side: requests go in turn to servers whose /readyz answers 200, as a load balancer in
 * front of routers would send them. Always: it asks on connections of its own and never retries a request.
 */
export interface Balancer {
  /** The next ready server. */
  next(): string;
  close(): void;
}

const probeMs = 100;
const probeTimeoutMs = 2_000;

export function startBalancer(urls: readonly string[]): Balancer {
  const ready = new Set(urls);
  let turn = 0;
  let isClosed = false;
  const probe = async (url: string): Promise<void> => {
    while (!isClosed) {
      const isReady = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(probeTimeoutMs) }).then(
        (reply) => reply.ok,
        () => false,
      );
      if (isReady) ready.add(url);
      else ready.delete(url);
      await new Promise<void>((resolve) => void setTimeout(resolve, probeMs));
    }
  };
  for (const url of urls) void probe(url);
  return {
    next() {
      const all = ready.size === 0 ? urls : [...ready];
      return all[(turn += 1) % all.length]!;
    },
    close: () => void (isClosed = true),
  };
}
