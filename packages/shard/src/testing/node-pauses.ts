/** Nodes that are stopped in a test, as by SIGSTOP. Always: the clock goes on; what comes for a stopped node waits in order. */
import type { Env } from '@quiver/env';
import type { NodeId } from '@quiver/model';

export class NodePauses {
  readonly #waiting = new Map<NodeId, (() => void)[]>();

  pause(id: NodeId): void {
    this.#waiting.set(id, []);
  }

  /** @param first - runs before anything that waited */
  resume(id: NodeId, first: () => void): void {
    const waiting = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    first();
    for (const run of waiting) run();
  }

  unlessPaused(id: NodeId, run: () => void): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) run();
    else waiting.push(run);
  }

  /** The node's own: its timers stand still with it. */
  envOf(id: NodeId, env: Env): Env {
    return {
      ...env,
      after: (delayMs, task) => env.after(delayMs, () => this.unlessPaused(id, task)),
      soon: (task) => env.soon(() => this.unlessPaused(id, task)),
    };
  }
}
