/** A body that another thread decodes against the same body decoded where it came: the same change or the same error. */
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { openChannel } from '@quiver/env';
import { createVirtualEnv } from '@quiver/env/testing';
import { createBodyScanner } from '@quiver/wire';
import { describe, expect, test } from 'vitest';
import type { PointsUpdate } from '../api.ts';
import {
  createLongBodies,
  longBodyBytes,
  type FromDecoder,
  type LongBodies,
  type ToDecoder,
} from '../long-bodies.ts';
import { decodeStage } from '../testing/decode-stage.ts';
import { decodeUpdateVectors, decodeUpsert } from './decode/updates.ts';
import { startRestServer, type RestReply } from './testing/rest-server.ts';

const timeoutMs = 60_000;
const decoders = { upsert: decodeUpsert, update_vectors: decodeUpdateVectors };

type Kind = keyof typeof decoders;

/** As it comes off a socket: whole buffers, the last one a part of a pool. */
function chunksOf(text: string): Uint8Array[] {
  const bytes = Buffer.from(text);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 65_536)
    chunks.push(new Uint8Array(bytes.subarray(at, at + 65_536)));
  const last = chunks.pop()!;
  const pool = new Uint8Array(last.length + 8);
  pool.set(last, 4);
  return [...chunks, pool.subarray(4, 4 + last.length)];
}

/** Longer than what is decoded in place, by blanks. */
function long(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return text + ' '.repeat(Math.max(0, longBodyBytes + 100_000 - text.length));
}

type Outcome = { update: PointsUpdate } | { code: unknown; message: string };

function failureOf(error: unknown): Outcome {
  const { code, message } = error as { code: unknown; message: string };
  return { code, message };
}

async function lent(bodies: LongBodies, kind: Kind, text: string): Promise<Outcome> {
  const taken = bodies.take(kind, chunksOf(text), timeoutMs);
  expect(taken).not.toBeNull();
  try {
    return { update: (await taken!).update() };
  } catch (error) {
    return failureOf(error);
  }
}

function inPlace(kind: Kind, text: string): PointsUpdate {
  const scanner = createBodyScanner();
  return decoders[kind](scanner.scan([Buffer.from(text)], true), scanner);
}

const points = Array.from({ length: 300 }, (_, i) => ({
  id: i,
  vector: Array.from({ length: 20 }, (_unused, j) => Math.sin(i * 31 + j)),
  payload: { n: i, text: 'Zoë "\\" 東京', big: 1.5 },
}));
const uuid = '550e8400-e29b-41d4-a716-446655440000';

const changes: [string, Kind, unknown][] = [
  ['points with one vector and payload', 'upsert', { points }],
  [
    'a batch of columns',
    'upsert',
    {
      batch: {
        ids: [1, uuid],
        vectors: [
          [1, 2],
          [3, 4],
        ],
        payloads: [{ a: 1 }, null],
      },
    },
  ],
  [
    'named, sparse and multivectors, some absent',
    'upsert',
    {
      points: [
        { id: 1, vector: { a: [1, 2], words: { indices: [7, 3], values: [1, 2] } } },
        {
          id: uuid,
          vector: {
            a: [3, 4],
            late: [
              [1, 2],
              [3, 4],
            ],
          },
        },
        { id: 3, vector: {} },
      ],
    },
  ],
  [
    'ids and values of 64 bits, a filter, a mode and shard keys',
    'upsert',
    `{"points":[{"id":18446744073709551615,"vector":[1,2],"payload":{"x":9223372036854775807,"y":1.0}}],"shard_key":"k",
      "update_mode":"insert_only","update_filter":{"must":[{"key":"a","match":{"value":9007199254740993}},{"key":"b","range":{"gte":1.0}},{"has_id":[18446744073709551615]}]}}`,
  ],
  [
    'vectors of points that are there',
    'update_vectors',
    {
      points: [
        { id: 1, vector: { a: [1, 2] } },
        { id: 2, vector: [5] },
      ],
    },
  ],
];

const refused: [string, Kind, string, scanned: boolean][] = [
  ['no JSON', 'upsert', '{"points":[{"id":1,', false],
  ['a vector that is none', 'upsert', '{"points":[{"id":1,"vector":true}]}', true],
  [
    'two vectors of different length',
    'upsert',
    '{"points":[{"id":1,"vector":[1]},{"id":2,"vector":[1,2]}]}',
    true,
  ],
  ['no points', 'upsert', '{"other":1}', true],
  ['points without a vector to update', 'update_vectors', '{"points":[{"id":1,"vector":{}}]}', true],
];

describe('a long body that another thread decodes', () => {
  test('is answered and written as any other, over the fast lane and over node:http', async () => {
    const { bodies, asked, start, close } = decodeStage();
    const server = await startRestServer({ longBodies: bodies });
    await server.call('PUT', '/collections/c', { vectors: { size: 20, distance: 'Dot' } });
    const send = (body: unknown, encoding?: string): Promise<RestReply> =>
      encoding === undefined
        ? server.call('PUT', '/collections/c/points', long(body))
        : server.call('PUT', '/collections/c/points', gzipSync(long(body)), { 'content-encoding': encoding });
    expect((await send({ points })).status).toBe(200);
    expect(asked()).toBe(1);
    await start();
    const replies = [
      await send({ points }),
      await send({ points }, 'gzip'),
      await send({ points: [{ id: 1, vector: [1] }] }),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 400]);
    expect(replies[2]!.error).toContain('Vector dimension error: expected dim: 20, got 1');
    expect((await send('{"points":[')).error).toContain('Format error in JSON body');
    expect((await send({ points: 3 })).status).toBe(400);
    const [first, ...others] = server.node.written.map(({ operation }) => operation);
    expect(others).toEqual([first, first]);
    await server.close();
    close();
  });

  test.each(changes)('is the change that it is in place: %s', async (_, kind, body) => {
    const { bodies, start, close } = decodeStage();
    void bodies.take(kind, chunksOf(long(body)), timeoutMs);
    await start();
    // Twice: the scanner goes from one body to the next.
    for (let round = 0; round < 2; round += 1)
      expect(await lent(bodies, kind, long(body))).toEqual({ update: inPlace(kind, long(body)) });
    close();
  });

  test.each(refused)('is refused as it is in place: %s', async (_, kind, body, isJson) => {
    const { bodies, start, close } = decodeStage();
    void bodies.take(kind, chunksOf(long(body)), timeoutMs);
    await start();
    const taken = bodies.take(kind, chunksOf(long(body)), timeoutMs)!;
    if (!isJson) {
      await expect(taken).rejects.toMatchObject({ code: 'malformed' });
    } else {
      const decoded = await taken;
      let wanted: unknown;
      try {
        inPlace(kind, long(body));
      } catch (error) {
        wanted = failureOf(error);
      }
      expect(wanted).toBeDefined();
      expect(() => decoded.update()).toThrow(expect.objectContaining(wanted as object) as Error);
    }
    close();
  });

  test('is decoded in place while it is short, or the thread is not there or has enough to do; the thread is asked for once', async () => {
    const { bodies, asked, start, close } = decodeStage();
    expect(bodies.take('upsert', chunksOf('{"points":[]}'), timeoutMs)).toBeNull();
    expect(asked()).toBe(0);
    const body = long({ points });
    for (let i = 0; i < 3; i += 1) expect(bodies.take('upsert', chunksOf(body), timeoutMs)).toBeNull();
    expect(asked()).toBe(1);
    await start();
    const huge = body + ' '.repeat(40 << 20);
    const first = bodies.take('upsert', chunksOf(huge), timeoutMs);
    expect(first).not.toBeNull();
    const given = chunksOf(huge);
    expect(bodies.take('upsert', given, timeoutMs)).toBeNull();
    expect(given[0]!.length).toBe(65_536);
    await first;
    expect(bodies.take('upsert', given, timeoutMs)).not.toBeNull();
    expect(given[0]!.length).toBe(0);
    close();
  });

  test('ends at its deadline when nobody answers', async () => {
    const virtual = createVirtualEnv({ seed: 1 });
    const [near, far] = openChannel<FromDecoder, ToDecoder>();
    const bodies = createLongBodies(near, virtual, () => undefined);
    const ready = once(near.raw, 'message');
    far.post({ kind: 'ready' });
    await ready;
    const taken = bodies.take('upsert', chunksOf(long({ points })), 1_000)!;
    const ended = expect(taken).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await virtual.advance(1_000);
    await ended;
    near.close();
  });
});
