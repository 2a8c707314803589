/**
 * Bodies in and replies out: the scanner against JSON.parse, the builder against JSON.stringify.
 * Run: `node packages/wire/src/wire.bench.ts`.
 */
import { Buffer } from 'node:buffer';
import { createBodyScanner } from './body-scanner.ts';
import { createReplyBuilder } from './reply-builder.ts';
import { seededRandom } from './testing/number-texts.ts';

const random = seededRandom(1);
const vector = (dim: number): number[] => Array.from({ length: dim }, () => Math.fround(random() - 0.5));
const payload = { title: 'A title of a document', text: 'word '.repeat(40), year: 2026, tags: ['a', 'b'] };
const query = Buffer.from(JSON.stringify({ query: vector(768), limit: 10, with_payload: true }));
const upsert = Buffer.from(
  JSON.stringify({ points: Array.from({ length: 100 }, (_, id) => ({ id, vector: vector(384), payload })) }),
);
const payloadBytes = Buffer.from(JSON.stringify(payload));
const points = Array.from({ length: 10 }, (_, id) => ({
  id,
  score: Math.fround(random()),
  vector: Float32Array.from(vector(384)),
}));
const scanner = createBodyScanner();
const builder = createReplyBuilder();

function reply(withVector: boolean): Buffer {
  builder.start();
  builder.ascii('{"result":[');
  for (const point of points) {
    builder.ascii(`{"id":${point.id},"version":0,"score":`);
    builder.float(point.score);
    builder.ascii(',"payload":');
    builder.bytes(payloadBytes);
    if (withVector) {
      builder.ascii(',"vector":');
      builder.floats(point.vector);
    }
    builder.ascii('},');
  }
  builder.ascii('],"status":"ok","time":0.0001}');
  return builder.take();
}

function stringified(withVector: boolean): string {
  return JSON.stringify({
    result: points.map(({ id, score, vector: values }) => ({
      id,
      version: 0,
      score,
      payload: JSON.parse(payloadBytes.toString()) as unknown,
      ...(withVector ? { vector: Array.from(values) } : {}),
    })),
    status: 'ok',
    time: 0.0001,
  });
}

const cases: Readonly<Record<string, () => unknown>> = {
  'query of 768 numbers: scanner': () => scanner.scan([query], true),
  'query of 768 numbers: JSON.parse': () => JSON.parse(query.toString()) as unknown,
  'upsert of 100 x 384: scanner': () => scanner.scan([upsert], true),
  'upsert of 100 x 384: JSON.parse': () => JSON.parse(upsert.toString()) as unknown,
  'reply of 10 payloads: builder': () => reply(false),
  'reply of 10 payloads: JSON.stringify': () => stringified(false),
  'reply of 10 payloads and vectors: builder': () => reply(true),
  'reply of 10 payloads and vectors: JSON.stringify': () => stringified(true),
};

const roundMs = 150;
const rounds = 3;
for (const [name, run] of Object.entries(cases)) {
  let best = Infinity;
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < roundMs) {
      run();
      count += 1;
    }
    best = Math.min(best, ((performance.now() - start) * 1_000) / count);
  }
  console.log(`${name}: ${best.toFixed(1)} us`);
}
