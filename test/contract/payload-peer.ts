/**
 * Payload paths against the Qdrant server: random payloads are set, deleted and selected by random paths there and here,
 * and what is left must be equal. Also datetimes: both sides read a list of forms.
 *
 *   node test/contract/payload-peer.ts [--cases 500] [--seed N]
 */
import { parseArgs } from 'node:util';
import { isDeepStrictEqual } from 'node:util';
import {
  deleteAtPath,
  mergeAtPath,
  mergePayload,
  parseDatetime,
  parseJson,
  parseJsonPath,
  selectPayload,
  stringifyJson,
  type JsonObject,
  type JsonValue,
} from '@quiver/model';
import { startQdrant, type RunningServer } from '../harness/server.ts';
import {
  createRandom,
  randomPayload,
  type Random,
} from '../../packages/segment/src/testing/random-filter.ts';

const paths = [
  'a',
  'b',
  'c',
  'c.d',
  'c.e[]',
  'c.e[0]',
  'c.new.deep',
  'list',
  'list[]',
  'list[0]',
  'list[].x',
  'list[1].x',
  'list[].y.z',
  'list[0].y',
  'list[].x[]',
  'list[9].x',
  '"we.ird".k',
  'a[].d',
  'a[0].d',
  'a.d',
  'fresh[0].k',
  'fresh[].k',
];
const forms = [
  '2020-01-01',
  '2020-1-1',
  '20200101',
  '2020-01-01T10:00',
  '2020-01-01  10:00',
  '2020-01-01T10',
  '2020-01-01T10:00Z',
  '2020-01-01t10:00:00z',
  '2020-01-01 10:00:00.1234567891',
  '2020-01-01T10:00:00+0200',
  '2020-01-01T10:00:00 -02',
  '2020-01-01 10:00:00 UTC',
  '2020-01-01T24:00:00Z',
  '2020-01-01T23:59:60Z',
  '2020-02-30',
  '2000-02-29',
  '1900-02-29',
  '+2020-01-01',
  '12020-01-01',
  '-0001-01-01',
  '1600-01-01T00:00:00.000001Z',
  '9999-12-31T23:59:59.999999Z',
  '2020-01-01T10:00:00,5Z',
  ' 2020-01-01',
  '2020-01-01T1:2:3',
  '2020-01-01T10:00:00+24:00',
  '2020-01-01T10:00:00.',
  '2020-01-01Z',
];

const { values: options } = parseArgs({
  options: { cases: { type: 'string', default: '500' }, seed: { type: 'string' } },
});
const seed = Number(options.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
const server = await startQdrant();
if (server === null) {
  console.log('no Qdrant server here: set QUIVER_SHARED');
  process.exit(2);
}
console.log(`seed ${seed}: node test/contract/payload-peer.ts --cases ${options.cases} --seed ${seed}`);
let different = 0;
try {
  await call(server, 'PUT', '/collections/p', { vectors: {} });
  const random = createRandom(seed);
  for (let i = 0; i < Number(options.cases); i += 1) await compareCase(server, random);
  await compareDatetimes(server);
} finally {
  await server.stop();
}
console.log(JSON.stringify({ cases: Number(options.cases), datetimes: forms.length, different }));
process.exit(different === 0 ? 0 : 1);

async function call(to: RunningServer, method: string, path: string, body: unknown): Promise<JsonValue> {
  const reply = await fetch(to.url + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: stringifyJson(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
  return (parseJson(text) as JsonObject)['result'] ?? null;
}

async function read(from: RunningServer, selector: JsonValue): Promise<JsonValue> {
  const found = await call(from, 'POST', '/collections/p/points', { ids: [1], with_payload: selector });
  return ((found as JsonObject[])[0] ?? {})['payload'] ?? {};
}

async function compareCase(to: RunningServer, random: Random): Promise<void> {
  const plain = (value: JsonValue): JsonObject => parseJson(stringifyJson(value)) as JsonObject;
  const payload = plain(randomPayload(random));
  await call(to, 'PUT', '/collections/p/points?wait=true', { points: [{ id: 1, vector: {}, payload }] });
  const stored = (await read(to, true)) as JsonObject;
  if (!isDeepStrictEqual(stored, payload)) report('stored', payload, {}, stored, payload);

  const keys = Array.from({ length: 1 + random.int(2) }, () => random.pick(paths));
  for (const kind of ['include', 'exclude'] as const)
    report(kind, payload, keys, await read(to, { [kind]: keys }), selectPayload(payload, { kind, keys }));

  const key = random.chance(0.7) ? random.pick(paths) : null;
  const source = plain(randomPayload(random));
  await call(to, 'POST', '/collections/p/points/payload?wait=true', {
    points: [1],
    payload: source,
    ...(key === null ? {} : { key }),
  });
  const ours = plain(payload);
  if (key === null) mergePayload(ours, source);
  else mergeAtPath(ours, parseJsonPath(key)!, source);
  const merged = await read(to, true);
  report('set', payload, { key, source }, merged, ours);

  await call(to, 'POST', '/collections/p/points/payload/delete?wait=true', { points: [1], keys });
  const left = plain(merged);
  for (const path of keys) deleteAtPath(left, parseJsonPath(path)!);
  report('delete', merged, keys, await read(to, true), left);
}

function report(what: string, before: JsonValue, how: JsonValue, theirs: JsonValue, ours: JsonValue): void {
  if (isDeepStrictEqual(theirs, ours)) return;
  different += 1;
  if (different > 10) return;
  console.log(`${what} ${stringifyJson(how)}\n  before ${stringifyJson(before)}`);
  console.log(`  theirs ${stringifyJson(theirs)}\n  ours   ${stringifyJson(ours)}`);
}

async function compareDatetimes(to: RunningServer): Promise<void> {
  await call(to, 'PUT', '/collections/p/index?wait=true', { field_name: 't', field_schema: 'datetime' });
  await call(to, 'PUT', '/collections/p/points?wait=true', {
    points: forms.map((t, id) => ({ id, vector: {}, payload: { t } })),
  });
  const page = (await call(to, 'POST', '/collections/p/points/scroll', {
    order_by: 't',
    limit: 100,
  })) as JsonObject;
  const theirs = new Map(
    (page['points'] as JsonObject[]).map((point) => [
      (point['payload'] as JsonObject)['t'],
      point['order_value'] ?? null,
    ]),
  );
  // Microseconds are f64 here: exact between 1684 and 2255.
  for (const form of forms) {
    const time = theirs.get(form) ?? null;
    report('datetime', form, null, time === null ? null : Number(time), parseDatetime(form));
  }
}
