/**
 * The simulated metadata store: one linearizable register for each shard with the compare-and-set commands of the
 * data plane. Always: `cfgVersion` rises with every change; a primary is in its in-sync set, which is a part of the placed
 * copies. In a share of the lives the real store takes its place (`members/`).
 */
import type { AllocId, ShardView } from '@quiver/replication';
import type { Host } from './host.ts';
import type { SimEffect } from './mutant.ts';

export interface ShardRecord extends ShardView {
  readonly shard: number;
  readonly slots: readonly number[];
  /** Which node each placed copy lives on. */
  readonly nodes: ReadonlyMap<AllocId, string>;
}

export type MetaCommand =
  | {
      kind: 'alter_isr';
      shard: number;
      term: number;
      cfgVersion: number;
      by: AllocId;
      isr: readonly AllocId[];
    }
  | {
      kind: 'promote';
      shard: number;
      term: number;
      cfgVersion: number;
      to: AllocId;
      isForced: boolean;
      dropsOld?: boolean;
      isAny?: boolean;
    }
  | { kind: 'bump_term'; shard: number; term: number; by: AllocId }
  | { kind: 'hand_over'; shard: number; term: number; by: AllocId; to: AllocId }
  | { kind: 'add_replica'; shard: number; cfgVersion: number; alloc: AllocId; node: string }
  | { kind: 'remove_replica'; shard: number; cfgVersion: number; alloc: AllocId }
  | {
      kind: 'move_slots';
      from: number;
      to: number;
      term: number;
      cfgVersion: number;
      slots: readonly number[];
    }
  /** Not a command of the design: for the mutant that shrinks the in-sync set when a node goes away. */
  | { kind: 'drop_from_isr'; shard: number; alloc: AllocId };

export interface Meta {
  /** What a linearizable read would show now; only whoever stands outside sees it at once. */
  read(shard: number): ShardRecord;
}

/** How nodes and clients come by the metadata. */
export interface MetaAccess {
  /** @param command - null only reads; the record comes to the host as a view, some time */
  tell(host: Host, command: MetaCommand | null): void;
  /** A linearizable read, given to the host as the answer to its question. */
  confirm(host: Host, ask: number): void;
  /** A linearizable read in the same life of the host. */
  readRecord(host: Host, use: (record: ShardRecord) => void): void;
  /** Records as a client may know them. */
  lookUp(client: string, take: (records: readonly ShardRecord[]) => void): void;
  /** A connection between two nodes broke. */
  noteBroken(from: string, to: string): void;
}

export class SimMeta implements Meta {
  readonly #shards: ShardRecord[];
  readonly #onChange: (before: ShardRecord, after: ShardRecord, command: MetaCommand) => void;

  constructor(shards: ShardRecord[], onChange: SimMeta['onChange']) {
    this.#shards = shards;
    this.#onChange = onChange;
  }

  declare readonly onChange: (before: ShardRecord, after: ShardRecord, command: MetaCommand) => void;

  read(shard: number): ShardRecord {
    return this.#shards[shard]!;
  }

  /** @returns whether it was done; a refused command changed nothing */
  propose(command: MetaCommand): boolean {
    if (command.kind === 'move_slots') return this.#moveSlots(command);
    const before = this.#shards[command.shard]!;
    const part = changeOf(before, command);
    if (part === null) return false;
    this.#set(before, part, command);
    return true;
  }

  #set(before: ShardRecord, part: Partial<ShardRecord>, command: MetaCommand): void {
    const after = { ...before, ...part, cfgVersion: before.cfgVersion + 1 };
    this.#shards[before.shard] = after;
    this.#onChange(before, after, command);
  }

  #moveSlots(command: Extract<MetaCommand, { kind: 'move_slots' }>): boolean {
    const { term, cfgVersion, slots } = command;
    const [from, to] = [this.read(command.from), this.read(command.to)];
    if (from.term !== term || from.cfgVersion !== cfgVersion) return false;
    this.#set(from, { slots: from.slots.filter((slot) => !slots.includes(slot)) }, command);
    this.#set(to, { slots: [...to.slots, ...slots] }, command);
    return true;
  }
}

type OfShard = Exclude<MetaCommand, { kind: 'move_slots' }>;

/** What the command changes, or null when it is refused. */
function changeOf(record: ShardRecord, command: OfShard): Partial<ShardRecord> | null {
  const { term, cfgVersion, primary, isr, replicas, nodes, minInSync } = record;
  switch (command.kind) {
    case 'alter_isr': {
      if (command.term !== term || command.cfgVersion !== cfgVersion || command.by !== primary) return null;
      if (!command.isr.includes(primary) || !command.isr.every((alloc) => replicas.includes(alloc)))
        return null;
      return { isr: command.isr, suspects: [] };
    }
    case 'promote': {
      if (command.term !== term || command.cfgVersion !== cfgVersion || !replicas.includes(command.to))
        return null;
      if (command.isForced) return { term: term + 1, primary: command.to, isr: [command.to], suspects: [] };
      if (command.isAny === true)
        return { term: term + 1, primary: command.to, isr: [...new Set([...isr, command.to])] };
      if (!isr.includes(command.to)) return null;
      if (command.dropsOld === true)
        return { term: term + 1, primary: command.to, isr: isr.filter((alloc) => alloc !== primary) };
      // The old primary stays in sync until the new one, which then is known to live, takes it out.
      return { term: term + 1, primary: command.to, suspects: isr.filter((alloc) => alloc === primary) };
    }
    case 'bump_term':
      return command.term === term && command.by === primary ? { term: term + 1 } : null;
    case 'hand_over': {
      if (command.term !== term || command.by !== primary || !isr.includes(command.to)) return null;
      return { term: term + 1, primary: command.to, suspects: [] };
    }
    case 'add_replica': {
      if (command.cfgVersion !== cfgVersion || [...nodes.values()].includes(command.node)) return null;
      return {
        replicas: [...replicas, command.alloc],
        nodes: new Map(nodes).set(command.alloc, command.node),
      };
    }
    case 'remove_replica': {
      const { alloc } = command;
      if (command.cfgVersion !== cfgVersion || alloc === primary || !replicas.includes(alloc)) return null;
      const left = isr.filter((member) => member !== alloc);
      if (isr.includes(alloc) && left.length < Math.max(1, minInSync)) return null;
      const placed = new Map(nodes);
      placed.delete(alloc);
      return { isr: left, replicas: replicas.filter((member) => member !== alloc), nodes: placed };
    }
    case 'drop_from_isr':
      return { isr: isr.filter((member) => member !== command.alloc) };
  }
}

type Asked = Extract<SimEffect, { kind: 'alter_isr' | 'bump_term' | 'propose_hand_over' }>;

/** What a machine asks of meta, as its host's command. */
export function commandOf({ shard, alloc: by }: Host, effect: Asked): MetaCommand {
  const { term } = effect;
  switch (effect.kind) {
    case 'alter_isr':
      return { kind: 'alter_isr', shard, by, term, cfgVersion: effect.cfgVersion, isr: effect.isr };
    case 'bump_term':
      return { kind: 'bump_term', shard, by, term };
    case 'propose_hand_over':
      return { kind: 'hand_over', shard, by, term, to: effect.to };
  }
}
