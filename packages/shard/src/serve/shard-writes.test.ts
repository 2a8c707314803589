import { createVirtualEnv } from '@quiver/env/testing';
import type { CollectionRecord, ResolvedOperation, VectorColumn } from '@quiver/model';
import { prepareRows, segmentSchemaOf } from '@quiver/segment';
import { expect, test } from 'vitest';
import { collectionOn } from '../testing/node-cluster.ts';
import type { ControlCalls } from './control-calls.ts';
import { createShardWrites } from './shard-writes.ts';

const dim = 100;
const plain = collectionOn('c', [1], { dim });
const params = { ...plain.config.params, vectors: { size: dim, distance: 'Cosine' } };
const collection = { ...plain, config: { ...plain.config, params } } as CollectionRecord;
const [schema] = segmentSchemaOf(collection.config.params).vectors;

/** Writes points of seeded values, and says what the control thread was asked and how often others had a turn before. */
async function write(count: number): Promise<{ asked: Float32Array; given: Float32Array; turns: number }> {
  const env = createVirtualEnv({ seed: 3 });
  const given = Float32Array.from({ length: count * dim }, () => env.random() - 0.5);
  const asked: ResolvedOperation[] = [];
  const calls = {
    ask(question: { operation: ResolvedOperation }) {
      asked.push(question.operation);
      return Promise.resolve(7);
    },
  } as unknown as ControlCalls;
  let turns = 0;
  const soon = (task: () => void): void => {
    turns += 1;
    env.soon(task);
  };
  const resolve = (): never => {
    throw new Error('nothing is to be resolved');
  };
  const writes = createShardWrites({ nodeId: 1, calls, resolve, env: { ...env, soon } });
  const operation = {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids: Array.from({ length: count }, (_, i) => BigInt(i)),
      vectors: new Map<string, VectorColumn>([
        ['', { kind: 'dense', dim, values: given.slice(), present: null }],
      ]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(count + 1) },
    },
  } as const;
  const written = writes.write(collection, [{ shardId: 0, operation, operationKey: '0'.repeat(32) }], {
    deadlineMs: 60_000,
  });
  await env.advance(1);
  expect(await written).toEqual([{ ok: true, operationId: 7 }]);
  const [change] = asked;
  if (change?.kind !== 'upsert') throw new Error('no upsert was asked for');
  return { asked: change.points.vectors.get('')!.values, given, turns };
}

test('vectors of a long batch are prepared in turns with other work, of a short one at once, and as all in one', async () => {
  if (schema?.kind !== 'dense' || schema.metric !== 'cosine') throw new Error('the vector is not normalised');
  for (const [count, turns] of [
    [1, 0],
    [300, 0],
    [5_000, 15],
  ] as const) {
    const { asked, given, turns: had } = await write(count);
    expect(asked).toEqual(prepareRows(schema, given));
    expect(had).toBe(turns);
  }
});
