/** A message that the decode thread decodes against the same message decoded where it came: the same change or the same error. */
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { encodeMessage, messageSchema } from '@quiver/rpc';
import { afterEach, describe, expect, test } from 'vitest';
import { longBodyBytes, type DecodedBody, type LongBodies } from '../long-bodies.ts';
import { decodeStage, type DecodeStage } from '../testing/decode-stage.ts';
import { closeAll, closing, failure, serve, type Served } from './testing/grpc-server.ts';

afterEach(closeAll);

const collection = { collection_name: 'c', vectors_config: { params: { size: 3, distance: 3 } } };
const uuid = '550e8400-e29b-41d4-a716-446655440000';
const data = Float32Array.of(1, 2, 3);
const long = JSON.stringify({ text: 'x'.repeat(longBodyBytes) });
const dense = { vector: { dense: { data } } };
/** Makes any message a long one; none of the usual form of a bulk load, for its second vector. */
const longPoint = { id: { num: 99 }, vectors: dense, payload: long };

interface Lender {
  readonly bodies: LongBodies;
  readonly lent: () => number;
}

/** Counts what it takes. */
function counting(bodies: LongBodies): Lender {
  let lent = 0;
  return {
    lent: () => lent,
    bodies: {
      take(kind, chunks, timeoutMs) {
        const taken = bodies.take(kind, chunks, timeoutMs);
        if (taken !== null) lent += 1;
        return taken;
      },
    },
  };
}

/** A decode thread that is there. */
async function readyStage(): Promise<DecodeStage> {
  const stage = decodeStage();
  closing.push(() => stage.close());
  void stage.bodies.take('grpc_upsert', [new Uint8Array(longBodyBytes)], 1);
  await stage.start();
  return stage;
}

/** Answers when it is told to. */
function gate(bodies: LongBodies): { bodies: LongBodies; taken: Promise<void>; open: () => void } {
  const taken = Promise.withResolvers<undefined>();
  const opened = Promise.withResolvers<undefined>();
  return {
    taken: taken.promise,
    open: () => opened.resolve(undefined),
    bodies: {
      take(kind, chunks, timeoutMs) {
        const body = bodies.take(kind, chunks, timeoutMs);
        taken.resolve(undefined);
        return body === null ? null : (async (): Promise<DecodedBody> => (await opened.promise, body))();
      },
    },
  };
}

async function withCollection(options: Parameters<typeof serve>[0]): Promise<Served> {
  const served = await serve(options);
  await served.ask('Collections/Create', collection);
  return served;
}

function shown(served: Served, reply: Awaited<ReturnType<Served['ask']>>): unknown {
  const { written } = served.node;
  return 'error' in reply
    ? { failure: failure(reply), written }
    : { result: reply.message['result'], written };
}

const points = Array.from({ length: 300 }, (_, i) => ({
  id: { num: i },
  vectors: {
    vector: { dense: { data: Float32Array.from({ length: 3 }, (_unused, j) => Math.sin(i * 31 + j)) } },
  },
  payload: JSON.stringify({ n: i, text: `Zoë "\\" 東京${'y'.repeat(1_000)}`, big: 1.5 }),
}));

const taken: [string, string, object][] = [
  ['a bulk load', 'Upsert', { wait: true, timeout: 10, points }],
  [
    'ids of 64 bits and none that is usual',
    'Upsert',
    {
      points: [
        { id: { num: 2n ** 64n - 1n }, vectors: dense },
        { id: { uuid }, vectors: { vectors: { vectors: new Map([['', { dense: { data } }]]) } } },
        { id: { num: 2 }, vectors: { vector: { data } } },
        longPoint,
      ],
    },
  ],
  [
    'a filter and a mode',
    'Upsert',
    {
      update_mode: 1,
      update_filter: {
        must: [
          { field: { key: 'a', match: { integer: 2n ** 53n + 1n } } },
          { has_id: { has_id: [{ num: 2n ** 64n - 1n }] } },
          { field: { key: 'b', range: { gte: 1 } } },
        ],
      },
      points,
    },
  ],
  [
    'vectors of points that are there',
    'UpdateVectors',
    { points: Array.from({ length: 20_000 }, (_, i) => ({ id: { num: i }, vectors: dense })) },
  ],
];

const refused: [string, string, object, RegExp][] = [
  [
    'a wrong dimension',
    'Upsert',
    { points: [{ id: { num: 1 }, vectors: { vector: { data: Float32Array.of(1) } }, payload: long }] },
    /expected dim: 3, got 1/,
  ],
  [
    'vectors of different length',
    'Upsert',
    { points: [longPoint, { id: { num: 1 }, vectors: { vector: { data: Float32Array.of(1) } } }] },
    /expected dim: 3, got 1/,
  ],
  [
    'a value that is no number',
    'Upsert',
    { points: [longPoint, { id: { num: 1 }, vectors: { vector: { data: Float32Array.of(1, NaN, 1) } } }] },
    /NaN/,
  ],
  ['a point without an id', 'Upsert', { points: [longPoint, { vectors: dense }] }, /Empty ID/],
  [
    'a UUID that is none',
    'Upsert',
    { points: [longPoint, { id: { uuid: 'x' }, vectors: dense }] },
    /UUID: x/,
  ],
  ['a point without vectors', 'Upsert', { points: [longPoint, { id: { num: 1 } }] }, /Expected some vectors/],
  [
    'a vector name that is unknown',
    'Upsert',
    { points: [{ ...longPoint, vectors: { vectors: { vectors: new Map([['no', { data }]]) } } }] },
    /Not existing vector name/,
  ],
  [
    'no name and bad vectors, both',
    'Upsert',
    {
      collection_name: '',
      points: [
        { ...longPoint, vectors: { vector: { sparse: { values: data, indices: Uint32Array.of(1) } } } },
      ],
    },
    /collection_name: .*; points\[0\]\.vectors\.vectors_options\.values: /,
  ],
  [
    'a collection that is not there',
    'Upsert',
    { collection_name: 'other', points: [longPoint] },
    /`other` doesn't exist/,
  ],
  [
    'a shard key where there are none',
    'Upsert',
    { points: [longPoint], shard_key_selector: { shard_keys: [{ keyword: 'k' }] } },
    /hard key/,
  ],
  [
    'no vectors to update',
    'UpdateVectors',
    {
      points: [
        ...Array.from({ length: 20_000 }, (_, i) => ({ id: { num: i }, vectors: dense })),
        { id: { num: 1 } },
      ],
    },
    /vectors is expected/,
  ],
];

describe('a long message that another thread decodes', () => {
  test.each(taken)('is the change that it is in place: %s', async (_, method, message) => {
    const stage = await readyStage();
    const lender = counting(stage.bodies);
    const [far, near] = [await withCollection({ longBodies: lender.bodies }), await withCollection({})];
    // Twice: nothing of the first is left for the second.
    for (let round = 1; round <= 2; round += 1) {
      const [remote, local] = [
        await far.ask(`Points/${method}`, { collection_name: 'c', ...message }),
        await near.ask(`Points/${method}`, { collection_name: 'c', ...message }),
      ];
      expect(failure(local)).toBe('no error');
      expect(shown(far, remote)).toEqual(shown(near, local));
      expect(far.node.written).toHaveLength(round);
      expect(lender.lent()).toBe(round);
    }
  });

  test.each(refused)('is refused as it is in place: %s', async (_, method, message, text) => {
    const stage = await readyStage();
    const lender = counting(stage.bodies);
    const [far, near] = [await withCollection({ longBodies: lender.bodies }), await withCollection({})];
    const [remote, local] = [
      await far.ask(`Points/${method}`, { collection_name: 'c', ...message }),
      await near.ask(`Points/${method}`, { collection_name: 'c', ...message }),
    ];
    expect(failure(remote)).toMatch(text);
    expect(shown(far, remote)).toEqual(shown(near, local));
    expect(far.node.written).toEqual([]);
    expect(lender.lent()).toBe(1);
  });

  test('is refused as it is in place: bytes that are no message', async () => {
    const stage = await readyStage();
    const lender = counting(stage.bodies);
    const whole = encodeMessage(messageSchema('UpsertPoints'), { collection_name: 'c', points: [longPoint] });
    const replies: string[] = [];
    for (const options of [{ longBodies: lender.bodies }, {}]) {
      const { port, node } = await withCollection(options);
      replies.push(await askRaw(port, whole.subarray(0, whole.length - 1)));
      expect(node.written).toEqual([]);
    }
    expect(lender.lent()).toBe(1);
    expect(replies[0]).toMatch(/^INVALID_ARGUMENT: /);
    expect(replies[0]).toBe(replies[1]);
  });

  test('is refused before it is lent without a key, and beyond the limit of messages', async () => {
    const stage = await readyStage();
    const lender = counting(stage.bodies);
    const message = { collection_name: 'c', points: [longPoint] };
    const locked = await serve({ longBodies: lender.bodies, apiKey: 'k' });
    expect(failure(await locked.ask('Points/Upsert', message))).toMatch(/^UNAUTHENTICATED/);
    const narrow = await serve({ longBodies: lender.bodies, messageBytesMax: longBodyBytes });
    expect(failure(await narrow.ask('Points/Upsert', message))).toMatch(/^RESOURCE_EXHAUSTED/);
    expect(lender.lent()).toBe(0);
  });

  test('is decoded in place while it is short, or the thread is not there', async () => {
    const stage = decodeStage();
    closing.push(() => stage.close());
    const lender = counting(stage.bodies);
    const { ask, node } = await withCollection({ longBodies: lender.bodies });
    await ask('Points/Upsert', { collection_name: 'c', points: [{ ...longPoint, payload: '{}' }] });
    expect(stage.asked()).toBe(0);
    await ask('Points/Upsert', { collection_name: 'c', points: [longPoint] });
    expect(stage.asked()).toBe(1);
    expect(node.written).toHaveLength(2);
    expect(lender.lent()).toBe(0);
  });

  test('changes nothing for a client that went away meanwhile', async () => {
    const stage = await readyStage();
    const { bodies, taken: isTaken, open } = gate(stage.bodies);
    const codes: number[] = [];
    const metrics = {
      observe(path: string, code: number) {
        if (path.endsWith('/Upsert')) codes.push(code);
      },
    };
    const { port, node, ask } = await withCollection({ longBodies: bodies, metrics });
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    closing.push(() => client.close());
    const bytes = encodeMessage(messageSchema('UpsertPoints'), { collection_name: 'c', points: [longPoint] });
    const ended = new Promise<number | undefined>((resolve) => {
      const same = (given: Buffer): Buffer => given;
      const call = client.makeUnaryRequest(
        '/qdrant.Points/Upsert',
        same,
        same,
        bytes,
        new Metadata(),
        (error) => resolve(error?.code),
      );
      void isTaken.then(() => call.cancel());
    });
    expect(await ended).toBe(status.CANCELLED);
    // The server has seen the end of the first stream when it answers a later one of the same connection.
    await askRaw(port, Buffer.alloc(0), client);
    open();
    // Lent after it, answered after it.
    await ask('Points/Upsert', { collection_name: 'c', points: [{ ...longPoint, id: { num: 7 } }] });
    expect(node.written.map(({ operation }) => 'points' in operation && operation.points.ids)).toEqual([[7]]);
    // The call that is gone is counted, too.
    expect(codes).toContain(status.CANCELLED);
  });

  test('is answered by a server that stops meanwhile', async () => {
    const stage = await readyStage();
    const { bodies, taken: isTaken, open } = gate(stage.bodies);
    const { ask, stop, node } = await withCollection({ longBodies: bodies });
    const reply = ask('Points/Upsert', { collection_name: 'c', points: [longPoint] });
    await isTaken;
    const stopped = stop(60_000);
    open();
    expect(failure(await reply)).toBe('no error');
    await stopped;
    expect(node.written).toHaveLength(1);
  });
});

/** @returns how it ends */
function askRaw(port: number, bytes: Buffer, given?: Client): Promise<string> {
  const client = given ?? new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  if (given === undefined) closing.push(() => client.close());
  const same = (message: Buffer): Buffer => message;
  return new Promise((resolve) => {
    client.makeUnaryRequest('/qdrant.Points/Upsert', same, same, bytes, new Metadata(), (error) =>
      resolve(error === null ? 'no error' : `${status[error.code]}: ${error.details}`),
    );
  });
}
