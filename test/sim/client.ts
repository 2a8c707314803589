/**
 * Clients behind a router: each operation keeps its key over all attempts, looks the primary up again after a failure and
 * ends as done, refused or unknown. Always: what is recorded of an operation is what its client saw, and when.
 */
import type { ReadAnswer, World, WriteAnswer, WriteRequest } from './world.ts';
import type { ShardRecord } from './meta.ts';
import type { Host } from './host.ts';
import type { History } from './history.ts';

export interface ClientOptions {
  readonly keyCount: number;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

export class Client {
  readonly #name: string;
  readonly #world: World;
  readonly #history: History;
  readonly #options: ClientOptions;
  readonly #records: ShardRecord[];
  readonly #takeOp: () => number;

  constructor(
    world: World,
    place: { name: string; history: History; records: ShardRecord[]; takeOp: () => number },
    options: ClientOptions,
  ) {
    this.#world = world;
    this.#name = place.name;
    this.#history = place.history;
    this.#records = [...place.records];
    this.#takeOp = place.takeOp;
    this.#options = options;
  }

  write(): void {
    const { random, slotCount, loop } = this.#world;
    const { keyCount, timeoutMs, deadlineMs } = this.#options;
    const op = this.#takeOp();
    const slot = random.below(slotCount);
    const keys = new Set(Array.from({ length: 1 + random.below(3) }, () => random.below(keyCount)));
    const inSlot = [...keys].filter((key) => key % slotCount === slot);
    const changes = (inSlot.length > 0 ? inSlot : [slot]).map((key) => ({
      key,
      op,
      value: random.chance(0.25) ? null : op,
    }));
    const operationKey = random.chance(0.85) ? `op${op}` : null;
    const waitFor = random.chance(0.5) ? 'applied' : 'durable';
    const request: WriteRequest = { op, operationKey, changes, waitFor, timeoutMs };
    const startMs = loop.nowMs;
    let attempts = 0;
    this.#history.tried(op, changes, startMs);
    const attempt = (): void => {
      attempts += 1;
      const shard = this.#shardOf(slot);
      const isRenamed = this.#world.mutant?.retriesUnderNewKey === true && attempts > 1;
      const sent = isRenamed ? { ...request, operationKey: `op${op}.${attempts}` } : request;
      let isDelivered = false;
      this.#call<WriteAnswer>(
        shard,
        (host, answer) => {
          // The transport repeats nothing by itself; with a key a repetition is a good test all the same.
          if (isDelivered && operationKey === null) return;
          isDelivered = true;
          host.write(sent, answer);
        },
        (answer) => {
          if (answer?.kind === 'ok') {
            if (answer.seq !== null)
              this.#history.wrote({
                shard,
                term: answer.term,
                seq: answer.seq,
                changes,
                startMs,
                endMs: loop.nowMs,
              });
            this.#world.count('write done');
            return;
          }
          if (answer !== null && answer.reason === 'torn') return;
          if (answer?.reason === 'resource_exhausted' && random.chance(0.7)) return;
          const mayRepeat = operationKey !== null || answer?.isIndeterminate === false;
          if (mayRepeat && loop.nowMs - startMs < deadlineMs) this.#lookUp(shard, attempt);
          else this.#world.count('write unknown');
        },
      );
    };
    attempt();
  }

  read(): void {
    const { random, slotCount, loop } = this.#world;
    const key = random.below(this.#options.keyCount);
    const shard = this.#shardOf(key % slotCount);
    const startMs = loop.nowMs;
    this.#call<ReadAnswer>(
      shard,
      (host, answer) => host.read(key, this.#options.timeoutMs, answer),
      (answer) => {
        if (answer?.kind !== 'ok') {
          this.#lookUp(shard, () => undefined);
          return;
        }
        const { record } = answer;
        this.#world.count('read done');
        this.#history.read({ shard, term: answer.term, key, record, startMs, endMs: loop.nowMs });
      },
    );
  }

  #shardOf(slot: number): number {
    return this.#records.find(({ slots }) => slots.includes(slot))?.shard ?? 0;
  }

  /** One request to where the primary is believed to be; null = nothing came back in time. */
  #call<Answer>(
    shard: number,
    ask: (host: Host, answer: (answer: Answer) => void) => void,
    onAnswer: (answer: Answer | null) => void,
  ): void {
    const { network, loop, nodeOf } = this.#world;
    const { primary, nodes } = this.#records[shard]!;
    const target = nodes.get(primary ?? '') ?? '';
    let isOver = false;
    const finish = (answer: Answer | null): void => {
      if (isOver) return;
      isOver = true;
      onAnswer(answer);
    };
    loop.at(this.#options.timeoutMs, () => finish(null));
    network.send(this.#name, target, () =>
      nodeOf(target)?.deliver(shard, primary ?? '', (host) =>
        ask(host, (answer) => network.send(target, this.#name, () => finish(answer))),
      ),
    );
  }

  #lookUp(shard: number, then: () => void): void {
    const { loop, random, access } = this.#world;
    access.lookUp(this.#name, (records) => {
      for (const record of records)
        if (record.cfgVersion > this.#records[record.shard]!.cfgVersion) this.#records[record.shard] = record;
    });
    loop.at(20 + random.below(40) + shard, then);
  }
}
