/**
 * Malformed requests, made from the bodies of `request-bodies.ts`: at every place of every body a value of each wrong
 * kind, and every required field left out. Always the same list in the same order. Against a server each must be
 * answered 4xx in Qdrant's shape: never 2xx where Qdrant 1.19 refuses, never 5xx, never without an answer.
 * Run: `node test/contract/malformed.ts BASE_URL [--record]`; `--record` is for a real Qdrant and prints what it takes.
 */
import { pathToFileURL } from 'node:url';
import { takenByQdrant } from './malformed-taken.ts';
import { requestBodies, setUpBodies, type RequestBody } from './request-bodies.ts';

export interface MalformedRequest {
  /** "PUT /collections/{c}/points points.0.id=-1": stable, names the change. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const wrongValues: readonly Json[] = ['wrong', -1, 1.5, true, [], {}, [[]], ['wrong'], { wrong: 1 }];

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

/** Values of another kind than `value`; for numbers also negative and fractional ones. */
function wrongFor(value: Json): Json[] {
  return wrongValues.filter((wrong) => kindOf(wrong) !== kindOf(value) || typeof value === 'number');
}

function* variants(value: Json, path: readonly string[]): Generator<[name: string, body: Json]> {
  for (const wrong of wrongFor(value)) yield [`${path.join('.')}=${JSON.stringify(wrong)}`, wrong];
  if (typeof value !== 'object' || value === null) return;
  const entries: [string, Json][] = Array.isArray(value)
    ? value.slice(0, 1).map((item, i) => [String(i), item])
    : Object.entries(value);
  for (const [key, item] of entries) {
    if (!Array.isArray(value)) {
      const rest = Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
      yield [`${[...path, key].join('.')} left out`, rest];
    }
    for (const [name, changed] of variants(item, [...path, key]))
      yield [name, Array.isArray(value) ? [changed, ...value.slice(1)] : { ...value, [key]: changed }];
  }
}

function* syntaxErrors(text: string): Generator<[name: string, body: string]> {
  yield ['nothing', ''];
  yield ['cut', text.slice(0, -1)];
  yield ['text behind', `${text} x`];
  yield ['single quotes', text.replaceAll('"', "'")];
  yield ['NaN', `{"a":NaN,${text.slice(1)}`];
  yield ['deep', '{"a":'.repeat(300)];
}

function requestsOf({ method, path, body }: RequestBody): MalformedRequest[] {
  const found: MalformedRequest[] = [];
  const add = (change: string, text: string): void => {
    const name = `${method} ${path} ${change}`;
    found.push({ name, method, path: path.replace('{c}', 'malformed'), body: text });
  };
  for (const [change, changed] of variants(body as Json, [])) add(change, JSON.stringify(changed));
  for (const [change, text] of syntaxErrors(JSON.stringify(body))) add(change, text);
  return found;
}

/** Those that Qdrant 1.19 refuses with 4xx. */
export function malformedRequests(): MalformedRequest[] {
  return everyVariant().filter((request) => !takenByQdrant.has(request.name));
}

function everyVariant(): MalformedRequest[] {
  const byName = new Map<string, MalformedRequest>();
  for (const request of requestBodies.flatMap(requestsOf)) byName.set(request.name, request);
  return [...byName.values()];
}

/** Creates what the requests are about: a collection "malformed". */
export async function setUp(baseUrl: string): Promise<void> {
  for (const { method, path, body } of setUpBodies) {
    const reply = await send(baseUrl, {
      method,
      path: path.replace('{c}', 'malformed'),
      body: JSON.stringify(body),
    });
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
  }
}

async function send(
  baseUrl: string,
  request: Pick<MalformedRequest, 'method' | 'path' | 'body'>,
): Promise<{ status: number; text: string }> {
  const response = await fetch(baseUrl + request.path, {
    method: request.method,
    headers: { 'content-type': 'application/json' },
    ...(request.body === '' ? {} : { body: request.body }),
  });
  return { status: response.status, text: await response.text() };
}

/** What is wrong with an answer to a malformed request, or null. */
export function complaint(status: number, text: string): string | null {
  if (status < 400 || status > 499) return `answered ${status}`;
  try {
    const doc = JSON.parse(text) as { status?: { error?: unknown }; time?: unknown; result?: unknown };
    const isShaped = typeof doc.status?.error === 'string' && typeof doc.time === 'number';
    return isShaped && doc.result === undefined ? null : `not in the shape of an error: ${text}`;
  } catch {
    return `no JSON: ${text}`;
  }
}

export interface Outcome {
  readonly sent: number;
  readonly complaints: readonly string[];
}

/** Sends every malformed request; `setUp` first. */
export async function checkMalformed(
  baseUrl: string,
  requests: readonly MalformedRequest[] = malformedRequests(),
): Promise<Outcome> {
  const complaints: string[] = [];
  for (const request of requests) {
    const { status, text } = await send(baseUrl, request);
    const problem = complaint(status, text);
    if (problem !== null) complaints.push(`${request.name} | ${request.body.slice(0, 200)} | ${problem}`);
  }
  return { sent: requests.length, complaints };
}

/** Names of the variants that a real Qdrant does not refuse with 4xx. */
async function record(baseUrl: string): Promise<string[]> {
  const taken: string[] = [];
  for (const request of everyVariant()) {
    const { status } = await send(baseUrl, request);
    if (status < 400 || status > 499) taken.push(request.name);
    if (status < 300) await setUp(baseUrl);
  }
  return taken;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , baseUrl = 'http://127.0.0.1:6333', mode] = process.argv;
  await setUp(baseUrl);
  if (mode === '--record') console.log((await record(baseUrl)).join('\n'));
  else {
    const { sent, complaints } = await checkMalformed(baseUrl);
    for (const line of complaints) console.log(line);
    console.log(
      `${sent} malformed requests, ${complaints.length} answered otherwise than 4xx in Qdrant's shape`,
    );
    process.exitCode = complaints.length === 0 ? 0 : 1;
  }
}
