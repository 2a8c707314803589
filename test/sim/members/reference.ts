/**
 * What the members have agreed on, from outside: the witness of their consensus, and a state machine of our own that takes
 * every command at the moment when it is committed first. Always: `state` is what a linearizable read would show now.
 */
import {
  assertState,
  createStateMachine,
  decodeEnvelope,
  type MetaState,
  type StateEnvelope,
} from '@quiver/meta/testing';
import type { Message } from '@quiver/raft';
import type { LoggedEntry } from '../consensus/durable-log.ts';
import type { MembershipModel } from '../consensus/membership-model.ts';
import type { MemberVolume } from '../consensus/volume.ts';
import { Violation } from '../checks.ts';
import { Witness } from '../consensus/witness.ts';

export type OnCommand = (before: MetaState, after: MetaState, command: StateEnvelope['command']) => void;

export class Reference {
  readonly #machine = createStateMachine();
  readonly #count: (what: string) => void;
  readonly #onCommand: OnCommand;
  #witness: Witness | null = null;
  /** Commands that changed something, by proposer and number. */
  readonly #effective = new Set<string>();

  constructor(count: (what: string) => void, onCommand: OnCommand) {
    this.#count = count;
    this.#onCommand = onCommand;
  }

  get state(): MetaState {
    return this.#machine.state;
  }
  get membership(): MembershipModel | null {
    return this.#witness?.membership ?? null;
  }
  get witness(): Witness | null {
    return this.#witness;
  }

  started({ log }: MemberVolume): void {
    this.#found(log);
    const witness = this.#witness;
    if (log.term > 0 || witness?.has(log.memberId) === true) witness?.started(log.memberId, log);
  }

  lost({ log }: MemberVolume): void {
    this.#witness?.lost(log.memberId);
  }

  wrote({ log }: MemberVolume, added: readonly LoggedEntry[]): void {
    this.#found(log);
    const witness = this.#witness;
    if (witness === null || log.term === 0) return;
    if (!witness.has(log.memberId)) witness.started(log.memberId, log);
    witness.wrote(log.memberId, added);
    // What its disk knows as committed it applies before it does anything else.
    witness.applied(log.memberId, log.commit, log.term);
  }

  sent(volume: MemberVolume, message: Message): void {
    // Its disk has gone under it, and the process goes next: the new one has another member's id.
    if (message.from !== volume.log.memberId) return;
    this.#known(volume).sent(message.from, message);
  }
  received(volume: MemberVolume, message: Message): void {
    this.#known(volume).received(volume.log.memberId, message);
  }

  /** One that joins has nothing on its disk yet when it speaks first. */
  #known({ log }: MemberVolume): Witness {
    const witness = this.#witness!;
    if (!witness.has(log.memberId)) witness.started(log.memberId, log);
    return witness;
  }

  /** What a member knows as committed; it acts on it when its own disk has it too. */
  committed({ log }: MemberVolume, commit: number, term: number): void {
    const isKnown = this.#witness?.has(log.memberId) === true;
    if (isKnown && commit <= log.lastIndex) this.#witness!.shows(log.memberId, commit, term);
  }

  #found({ snapshot, snapshotState }: MemberVolume['log']): void {
    if (this.#witness !== null || snapshot?.index !== 1 || snapshotState === null) return;
    this.#machine.restore(snapshotState);
    this.#witness = new Witness(snapshot, this.#count);
    this.#witness.onCommitted = ({ entry }) => {
      if (entry.type !== 'EntryNormal' || entry.data.length === 0) return;
      const envelope = decodeEnvelope(entry.data);
      const before = this.state;
      const reply = this.#machine.apply(envelope);
      const { kind } = envelope.command;
      this.#count(reply.ok ? `meta: ${kind}` : `refused by meta: ${kind}`);
      if (this.state === before) return;
      this.#assertFirst(envelope);
      assertState(this.state);
      this.#onCommand(before, this.state, envelope.command);
    };
  }

  /** Repeated as often as its proposer likes, a command takes effect once. */
  #assertFirst({ clientId, seq, command }: StateEnvelope): void {
    const key = `${clientId} ${seq}`;
    if (clientId !== '' && this.#effective.has(key)) throw new Violation(`${command.kind} took effect twice`);
    this.#effective.add(key);
  }

  /** Costs too much for every revision. */
  hash(): string {
    return this.#machine.hash();
  }
}
