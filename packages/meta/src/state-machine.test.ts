// fast-check prints the seed and the path that replay a failure.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEnvelope, encodeEnvelope } from './command-codec.ts';
import type { StateCommand } from './state-command.ts';
import { sessionsMax } from './session.ts';
import { assertState } from './state.ts';
import { createStateMachine, type StateMachine } from './state-machine.ts';
import { envelopes } from './testing/commands.ts';
import { config, oneShard } from './testing/records.ts';

function run(machine: StateMachine, ...commands: StateCommand[]) {
  const first = machine.state.revision * 1_000;
  return commands.map((command, i) => machine.apply({ clientId: 'test', seq: first + i + 1, command }));
}
const create = (name: string, uuid = `uuid of ${name}`): StateCommand => ({
  kind: 'create_collection',
  name,
  uuid,
  config,
  shards: oneShard,
});

describe('the state machine', () => {
  test('the same log gives the same bytes, through the codec or not', () => {
    fc.assert(
      fc.property(envelopes, (log) => {
        const one = createStateMachine();
        const other = createStateMachine();
        for (const envelope of log) {
          const decoded = decodeEnvelope(encodeEnvelope(envelope));
          expect(other.apply(decoded)).toEqual(one.apply(envelope));
        }
        expect(other.snapshot()).toEqual(one.snapshot());
        assertState(one.state);
      }),
      { numRuns: 200 },
    );
  });

  test('a snapshot at any point and the rest of the log give what the whole log gives', () => {
    fc.assert(
      fc.property(envelopes, fc.nat(), (log, cut) => {
        const at = log.length === 0 ? 0 : cut % log.length;
        const whole = createStateMachine();
        for (const envelope of log) whole.apply(envelope);
        const before = createStateMachine();
        for (const envelope of log.slice(0, at)) before.apply(envelope);
        const after = createStateMachine();
        after.restore(before.snapshot());
        for (const envelope of log.slice(at)) after.apply(envelope);
        expect(after.snapshot()).toEqual(whole.snapshot());
      }),
      { numRuns: 200 },
    );
  });

  test('revisions rise by one with each change and by none otherwise', () => {
    fc.assert(
      fc.property(envelopes, (log) => {
        const machine = createStateMachine();
        for (const envelope of log) {
          const before = machine.state;
          const reply = machine.apply(envelope);
          const moved = machine.state.revision - before.revision;
          expect(moved).toBe(machine.state === before ? 0 : 1);
          if (!reply.ok) expect(machine.state).toBe(before);
        }
      }),
    );
  });

  test('a command sent again gets its first reply and changes nothing', () => {
    const machine = createStateMachine();
    const envelope = { clientId: 'c', seq: 1, command: create('a') };
    const first = machine.apply(envelope);
    run(machine, { kind: 'delete_collection', name: 'a' });
    expect(machine.apply(envelope)).toEqual(first);
    expect(machine.state.collections.size).toBe(0);
  });

  test('a command overtaken by a later one of its client does not run', () => {
    const machine = createStateMachine();
    machine.apply({ clientId: 'c', seq: 2, command: create('a') });
    const late = machine.apply({ clientId: 'c', seq: 1, command: create('b') });
    expect(late).toMatchObject({ ok: false, code: 'precondition_failed' });
    expect([...machine.state.collections.keys()]).toEqual(['a']);
  });

  test('sessions are bounded and the client silent longest is forgotten first', () => {
    const machine = createStateMachine();
    for (let i = 0; i < sessionsMax + 5; i += 1)
      machine.apply({ clientId: `c${i}`, seq: 1, command: { kind: 'delete_collection', name: 'x' } });
    expect(machine.sessionCount).toBe(sessionsMax);
    expect(machine.apply({ clientId: 'c4', seq: 1, command: create('again') })).toMatchObject({
      changed: true,
    });
  });

  test('a replica number is never given twice, also after a drop and a snapshot', () => {
    const machine = createStateMachine();
    run(machine, create('a'), create('b'), { kind: 'delete_collection', name: 'b' });
    const restored = createStateMachine();
    restored.restore(machine.snapshot());
    run(restored, create('b'));
    expect(restored.state.collections.get('b')?.shards[0]?.primary).toBe(3);
  });

  test('an unknown command stops the process', () => {
    const bytes = encodeEnvelope({
      clientId: 'c',
      seq: 1,
      command: { kind: 'fly' } as unknown as StateCommand,
    });
    expect(() => decodeEnvelope(bytes)).toThrow('command fly is not known');
    expect(() => decodeEnvelope(Uint8Array.of(2, 123, 125))).toThrow('metadata format 2');
  });
});

describe('commands answer in the words of Qdrant', () => {
  const machineWith = (...commands: StateCommand[]): StateMachine => {
    const machine = createStateMachine();
    run(machine, ...commands);
    return machine;
  };
  const alias = (collection: string, name: string): StateCommand => ({
    kind: 'change_aliases',
    actions: [{ kind: 'create', collection, alias: name }],
  });
  test.each([
    ['a name that is taken', [create('a')], create('a'), 'already_exists', 'Collection `a` already exists!'],
    [
      'a name that is an alias',
      [create('a'), alias('a', 'x')],
      create('x'),
      'invalid_argument',
      "Can't create collection with name x. Alias with the same name already exists",
    ],
    ['an alias of nothing', [], alias('zz', 'x'), 'not_found', "Collection `zz` doesn't exist!"],
    [
      'an alias of an alias',
      [create('a'), alias('a', 'x')],
      alias('x', 'y'),
      'not_found',
      "Collection `x` doesn't exist!",
    ],
    [
      'an alias named as a collection',
      [create('a')],
      alias('a', 'a'),
      'already_exists',
      'Collection `a` already exists!',
    ],
    [
      'a rename of no alias',
      [],
      { kind: 'change_aliases', actions: [{ kind: 'rename', from: 'n', to: 'm' }] },
      'not_found',
      'Alias n does not exists!',
    ],
    [
      'a change of a collection dropped and made anew meanwhile',
      [create('a', 'new')],
      { kind: 'update_collection', name: 'a', uuid: 'old', config },
      'not_found',
      "Collection `a` doesn't exist!",
    ],
  ] as [string, StateCommand[], StateCommand, string, string][])(
    '%s',
    (_what, before, command, code, message) => {
      const machine = machineWith(...before);
      expect(run(machine, command)).toEqual([{ ok: false, code, message }]);
    },
  );

  test('a list of alias actions is applied whole or not at all', () => {
    const machine = machineWith(create('a'), alias('a', 'old'));
    const [reply] = run(machine, {
      kind: 'change_aliases',
      actions: [
        { kind: 'delete', alias: 'old' },
        { kind: 'create', collection: 'a', alias: 'new' },
        { kind: 'create', collection: 'gone', alias: 'bad' },
      ],
    });
    expect(reply?.ok).toBe(false);
    expect([...machine.state.aliases]).toEqual([['old', 'a']]);
  });

  test('dropping a collection drops its aliases, and dropping nothing changes nothing', () => {
    const machine = machineWith(create('a'), create('b'), alias('a', 'x'), alias('b', 'y'));
    const replies = run(
      machine,
      { kind: 'delete_collection', name: 'a' },
      { kind: 'delete_collection', name: 'x' },
    );
    expect(replies.map((reply) => reply.ok && reply.changed)).toEqual([true, false]);
    expect([...machine.state.aliases]).toEqual([['y', 'b']]);
  });

  test('an index again changes nothing, with another schema replaces, and dropping one that is not there is no error', () => {
    const machine = machineWith(create('a'));
    const index = (data_type: 'keyword' | 'integer'): StateCommand => ({
      kind: 'create_payload_index',
      name: 'a',
      uuid: 'uuid of a',
      field: '__proto__',
      schema: { data_type, params: null },
    });
    const dropped = { kind: 'delete_payload_index', name: 'a', uuid: 'uuid of a', field: 'none' } as const;
    const replies = run(machine, index('keyword'), index('keyword'), index('integer'), dropped);
    expect(replies.map((reply) => reply.ok && reply.changed)).toEqual([true, false, true, false]);
    const schema = machine.state.collections.get('a')?.payloadSchema ?? {};
    expect(Object.entries(schema)).toEqual([['__proto__', { data_type: 'integer', params: null }]]);
  });
});
