/**
 * Requests that Qdrant 1.19.0 refuses, with the status and the text it gave (`rest-errors.txt`; without "at line 1
 * column 7"). A server passes when its status is the same and its text begins with Qdrant's: it may say more.
 * Run: `node test/contract/rest-errors.ts BASE_URL`.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

export interface RefusedRequest {
  readonly method: string;
  readonly path: string;
  /** '' for none */
  readonly body: string;
  readonly status: number;
  readonly text: string;
}

/** Two lines each: method, path and body; status and text. */
export function refusedRequests(): RefusedRequest[] {
  const lines = readFileSync(new URL('rest-errors.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  const requests: RefusedRequest[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const request = /^(\S+) (\S+) (.*)$/.exec(lines[i]!);
    const answer = /^ {2}(\d+) (.*)$/.exec(lines[i + 1]!);
    if (request === null || answer === null)
      throw new Error(`rest-errors.txt:${i + 1} is no request and answer`);
    const [, method = '', path = '', body = ''] = request;
    requests.push({ method, path, body, status: Number(answer[1]), text: answer[2] ?? '' });
  }
  return requests;
}

const collections: Readonly<Record<string, unknown>> = {
  c: { vectors: { size: 4, distance: 'Dot' } },
  n: {
    vectors: {
      a: { size: 4, distance: 'Cosine' },
      m: { size: 2, distance: 'Dot', multivector_config: { comparator: 'max_sim' } },
    },
    sparse_vectors: { s: {} },
  },
};

/** Creates the collections `c` and `n` anew; `d` and `zz` must not be there. */
export async function setUp(baseUrl: string): Promise<void> {
  for (const name of ['d', 'zz', ...Object.keys(collections)])
    await fetch(`${baseUrl}/collections/${name}`, { method: 'DELETE' });
  for (const [name, body] of Object.entries(collections)) {
    const headers = { 'content-type': 'application/json' };
    const options = { method: 'PUT', headers, body: JSON.stringify(body) };
    const reply = await fetch(`${baseUrl}/collections/${name}`, options);
    if (reply.status !== 200) throw new Error(`collection ${name}: ${await reply.text()}`);
  }
}

/** What differs from Qdrant, a line each. */
export async function checkRestErrors(baseUrl: string): Promise<{ sent: number; differences: string[] }> {
  const requests = refusedRequests();
  const differences: string[] = [];
  for (const { method, path, body, status, text } of requests) {
    const reply = await fetch(baseUrl + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === '' ? {} : { body }),
    });
    const got = await reply.text();
    const error = errorOf(got);
    if (reply.status !== status || !error.startsWith(text))
      differences.push(`${method} ${path} ${body} | ${status} ${text} | ${reply.status} ${got}`);
  }
  return { sent: requests.length, differences };
}

function errorOf(text: string): string {
  try {
    return (JSON.parse(text) as { status?: { error?: string } }).status?.error ?? '';
  } catch {
    return '';
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const baseUrl = process.argv[2] ?? 'http://127.0.0.1:6333';
  await setUp(baseUrl);
  const { sent, differences } = await checkRestErrors(baseUrl);
  for (const line of differences) console.log(line);
  console.log(`${sent} refused requests, ${differences.length} answered otherwise than by Qdrant 1.19.0`);
  process.exitCode = differences.length === 0 ? 0 : 1;
}
