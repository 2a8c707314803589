/**
 * The only copy of a shard as its own primary: the replicas' machine with an in-sync set of one. Always: a new term after
 * every start, before anything else of it is written.
 */
import { ClusterError } from '@quiver/model';
import {
  createReplica,
  type ChangeTraits,
  type Effect,
  type PersistedReplica,
  type PersistEffect,
  type Replica,
} from '@quiver/replication';

interface SolePrimaryOptions<Change, Key> {
  readonly allocId: string;
  readonly persisted: PersistedReplica<Key>;
  readonly traits: ChangeTraits<Change>;
  /** Monotonic clock, in milliseconds. */
  readonly now: () => number;
  readonly persist: (effect: PersistEffect<Change, Key>) => Promise<void>;
  /** Everything else that is to be done, in order. */
  readonly perform: (effect: Effect<Change, Key>) => void;
}

/** One copy waits for nobody: the store's own bound on what is pending is the tighter one. */
const admittedBytesMax = 1 << 30;

export class SolePrimary<Change, Key> {
  readonly #options: SolePrimaryOptions<Change, Key>;
  readonly #machine: Replica<Change, Key>;
  #leading: Promise<void> | null = null;
  #callCount = 0;

  constructor(options: SolePrimaryOptions<Change, Key>) {
    this.#options = options;
    const { allocId, persisted, traits } = options;
    const startId = `${allocId}.${persisted.state.term}`;
    this.#machine = createReplica({ allocId, startId, traits, limits: { admittedBytesMax } }, persisted);
  }

  /** Call before each proposal. The first one begins the term: opening thousands of collections writes nothing. */
  lead(): Promise<void> {
    this.#leading ??= this.#beginTerm();
    return this.#leading;
  }

  async #beginTerm(): Promise<void> {
    const { allocId, persisted, now, persist } = this.#options;
    const term = persisted.state.term + 1;
    const copies = { isr: [allocId], replicas: [allocId], minInSync: 1 };
    const view = { term, cfgVersion: 1, primary: allocId, ...copies };
    for (const effect of this.#machine.step({ kind: 'view', view, nowMs: now() })) {
      if (effect.kind !== 'persist') continue;
      await persist(effect);
      this.persisted(effect);
    }
  }

  /**
   * @returns what is to be made durable; then call `persisted`
   * @throws ClusterError; nothing of it exists
   */
  propose(changes: readonly Change[]): PersistEffect<Change, Key> {
    this.#callCount += 1;
    const effects = this.#machine.step({
      kind: 'propose',
      call: this.#callCount,
      operationKey: null,
      changes,
      receipt: '',
      waitFor: 'durable',
      wallMs: 0,
      deadlineMs: Infinity,
      nowMs: this.#options.now(),
    });
    for (const effect of effects) {
      if (effect.kind === 'persist') return effect;
      if (effect.kind !== 'refuse') continue;
      const code = effect.reason === 'resource_exhausted' ? 'rate_limited' : 'unavailable';
      throw new ClusterError(code, effect.detail, { retryAfterSeconds: 1 });
    }
    throw new Error('invariant broken: a proposal is persisted or refused');
  }

  persisted({ persist }: PersistEffect<Change, Key>): void {
    const nowMs = this.#options.now();
    let published = 0;
    for (const effect of this.#machine.step({ kind: 'persisted', persist, nowMs })) {
      this.#options.perform(effect);
      if (effect.kind === 'publish') published = effect.publish;
    }
    if (published > 0) this.#machine.step({ kind: 'applied', publish: published, nowMs });
  }
}
