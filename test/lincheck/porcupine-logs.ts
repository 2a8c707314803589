/**
 * Reads the histories that come with Porcupine's tests (shared reference/porcupine): Jepsen logs of etcd, one register,
 * and key-value logs. An event's line number is its instant. A process has one operation at a time.
 */
import assert from 'node:assert';
import type { EtcdInput, EtcdOutput } from './models/etcd-register.ts';
import type { KeyValueInput } from './models/key-value.ts';
import type { Operation } from './operation.ts';

interface Call<I> {
  readonly client: number;
  readonly input: I;
  readonly calledAt: number;
}

/** Calls not yet returned, by process; what is left at the end stays open. */
class Recorder<I, O> {
  readonly #calls = new Map<number, Call<I>>();
  readonly #done: Operation<I, O>[] = [];

  invoke(client: number, input: I, calledAt: number): void {
    assert(!this.#calls.has(client), `process ${client} calls twice at ${calledAt}`);
    this.#calls.set(client, { client, input, calledAt });
  }

  complete(client: number, returnedAt: number, outputOf: (input: I) => O): void {
    const call = this.#calls.get(client);
    assert(call !== undefined, `process ${client} returns without a call at ${returnedAt}`);
    this.#calls.delete(client);
    this.#done.push({ ...call, output: outputOf(call.input), returnedAt });
  }

  /** The process never hears of it: open for good, and the process may call again. */
  abandon(client: number): void {
    const call = this.#calls.get(client);
    assert(call !== undefined, `process ${client} gives up without a call`);
    this.#calls.delete(client);
    this.#done.push({ ...call, output: undefined, returnedAt: Infinity });
  }

  history(): Operation<I, O>[] {
    for (const client of [...this.#calls.keys()]) this.abandon(client);
    return this.#done;
  }
}

const jepsenLine =
  /^INFO\s+jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(nil|:timed-out|\d+|\[\d+ \d+\])$/;

/**
 * `:fail :cas` is a completed operation that found another value; `:fail :read :timed-out` and `:info` stay open.
 * @throws {AssertionError} on a line it does not understand
 */
export function parseJepsenLog(text: string): Operation<EtcdInput, EtcdOutput>[] {
  const recorder = new Recorder<EtcdInput, EtcdOutput>();
  text.split('\n').forEach((line, at) => {
    if (line.trim() === '') return;
    const match = jepsenLine.exec(line.trimEnd());
    assert(match !== null, `line ${at + 1} is no Jepsen event: ${line}`);
    const [, process = '', type, kind = '', value = ''] = match;
    const client = Number(process);
    if (type === 'invoke') recorder.invoke(client, etcdInput(kind, value), at);
    else if (value === ':timed-out') recorder.abandon(client);
    else
      recorder.complete(client, at, (input) => {
        if (input.kind === 'cas') return type === 'ok';
        if (input.kind === 'write') return 'done';
        return value === 'nil' ? null : Number(value);
      });
  });
  return recorder.history();
}

function etcdInput(kind: string, value: string): EtcdInput {
  if (kind === 'read') return { kind };
  if (kind === 'write') return { kind, value: Number(value) };
  assert(kind === 'cas', kind);
  const [from, to] = value.slice(1, -1).split(' ').map(Number);
  assert(from !== undefined && to !== undefined, value);
  return { kind, from, to };
}

const keyValueLine =
  /^\{:process (\d+), :type :(invoke|ok), :f :(get|put|append), :key "([^"]*)", :value (nil|"([^"]*)")\}$/;

/** @throws {AssertionError} on a line it does not understand */
export function parseKeyValueLog(text: string): Operation<KeyValueInput, string>[] {
  const recorder = new Recorder<KeyValueInput, string>();
  text.split('\n').forEach((line, at) => {
    if (line.trim() === '') return;
    const match = keyValueLine.exec(line.trimEnd());
    assert(match !== null, `line ${at + 1} is no key-value event: ${line}`);
    const [, process = '', type, kind, key = '', , value = ''] = match;
    const client = Number(process);
    if (type === 'invoke') recorder.invoke(client, { kind: kind as KeyValueInput['kind'], key, value }, at);
    else recorder.complete(client, at, () => value);
  });
  return recorder.history();
}
