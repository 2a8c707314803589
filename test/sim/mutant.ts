/** One mistake put into the cluster by a test. The production code has no switch for it but the named rules. */
import type { Effect, Input, ReplicationRules } from '@quiver/replication';
import type { Change } from './point-store.ts';

export type SimInput = Input<Change, number>;
export type SimEffect = Effect<Change, number>;

export interface Mutant {
  readonly name: string;
  readonly rules?: Partial<ReplicationRules>;
  /** Replaces an effect before the host sees it; null drops it. */
  readonly effect?: (effect: SimEffect) => SimEffect | null;
  /** Replaces an input before the machine sees it; null drops it. */
  readonly input?: (input: SimInput) => SimInput | null;
  readonly reportsPersistedAtOnce?: boolean;
  readonly confirmsReadsAtOnce?: boolean;
  readonly confirmsAnyGeneration?: boolean;
  readonly promotesAnyReplica?: boolean;
  readonly shrinksOnExit?: boolean;
  readonly servesDamagedDisk?: boolean;
  readonly retriesUnderNewKey?: boolean;
  readonly movesSlotsWithoutFence?: boolean;
  readonly reusesAllocation?: boolean;
  readonly ignoresSessions?: boolean;
  readonly adoptsNoKeys?: boolean;
  readonly promotionDropsOldPrimary?: boolean;
  readonly keepsLease?: boolean;
  /** Takes hundreds of seeds: only `npm run sim:mutants` waits for it. */
  readonly isRare?: boolean;
  /** Why it can not be noticed. */
  readonly isEquivalent?: string;
}

/** Whatever session a message belongs to, it is taken for the present one. */
export class BlindToSessions {
  #nonce = '';

  blind(input: SimInput): SimInput {
    if (input.kind !== 'receive') return input;
    const { message } = input;
    if (message.kind === 'plan') this.#nonce = message.nonce;
    if (message.kind !== 'chunk' || this.#nonce === '') return input;
    return { ...input, message: { ...message, nonce: this.#nonce } };
  }
}
