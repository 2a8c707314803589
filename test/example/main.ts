/**
 * `npm run example`: loads the bundled WordNet synsets into a collection, builds a payload index, and answers filtered
 * queries in readable form. Uses the server at QUIVER_URL (http://localhost:6333); where none answers, starts one for
 * itself in a temporary folder and ends it afterwards.
 */
import { startQuiver } from '../harness/server.ts';
import { dim, readWordnet, type Synset } from './wordnet.ts';

const collection = 'wordnet-example';
const batch = 500;

interface Hit {
  readonly score: number;
  readonly payload: Synset;
}

const asked = process.env['QUIVER_URL'] ?? 'http://localhost:6333';
const answers = await fetch(`${asked}/readyz`).then(
  (reply) => reply.ok,
  () => false,
);
const own = answers ? null : await startQuiver();
const url = own?.url ?? asked;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init =
    body === undefined
      ? { method }
      : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const reply = await fetch(`${url}/collections/${collection}${path}`, init);
  const answer = (await reply.json()) as { result: T; status: unknown };
  if (!reply.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer.status)}`);
  return answer.result;
}

function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

function describe({ lemmas, gloss }: Synset): string {
  const text = `${lemmas.join(', ')}: ${gloss}`;
  return text.length > 84 ? `${text.slice(0, 83)}…` : text;
}

async function ask(word: string, title: string, filter?: unknown): Promise<void> {
  const row = set.queries.findIndex(({ lemmas }) => lemmas.includes(word));
  const query = set.queries[row];
  if (query === undefined) throw new Error(`no query "${word}" in the set`);
  const started = performance.now();
  const { points } = await call<{ points: Hit[] }>('POST', '/points/query', {
    query: set.queryVector(row),
    filter,
    limit: 4,
    with_payload: true,
  });
  const tookMs = performance.now() - started;
  print(`like "${describe(query)}"${title}  (${tookMs.toFixed(1)} ms)`);
  for (const { score, payload } of points)
    print(`  ${score.toFixed(3)}  ${payload.category.padEnd(14)} ${describe(payload)}`);
  print();
}

const set = readWordnet();
try {
  await call('DELETE', '');
  await call('PUT', '', {
    vectors: { size: dim, distance: 'Cosine' },
    optimizers_config: { indexing_threshold: 1000 },
  });
  await call('PUT', '/index?wait=true', { field_name: 'category', field_schema: 'keyword' });
  await call('PUT', '/index?wait=true', { field_name: 'words', field_schema: 'integer' });
  for (let from = 0; from < set.synsets.length; from += batch) {
    const points = set.synsets
      .slice(from, from + batch)
      .map((payload, i) => ({ id: from + i, vector: set.vector(from + i), payload }));
    await call('PUT', '/points?wait=true', { points });
  }
  print(`loaded ${set.synsets.length} synsets (${dim} dimensions, cosine) into "${collection}" at ${url}`);
  print();
  await ask('monkey', '');
  await ask('monkey', ', among plants', { must: [{ key: 'category', match: { value: 'noun.plant' } }] });
  await ask('quasar', ', in at least 15 words', { must: [{ key: 'words', range: { gte: 15 } }] });
  await ask('fire', ', verbs only', { must: [{ key: 'pos', match: { value: 'verb' } }] });
} finally {
  await own?.stop();
}
