/** A few lines over fetch for system tests: the whole reply, so that a test can look at status and body. */
export interface Reply {
  readonly status: number;
  readonly body: { result?: unknown; status?: unknown; time?: number };
  readonly text: string;
}

export async function send(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const init: RequestInit = { method, headers: { ...headers } };
  if (body !== undefined) {
    init.body = typeof body === 'string' ? body : JSON.stringify(body);
    init.headers = { 'content-type': 'application/json', ...headers };
  }
  const reply = await fetch(`${url}${path}`, init);
  const text = await reply.text();
  let parsed: Reply['body'] = {};
  try {
    parsed = JSON.parse(text) as Reply['body'];
  } catch {
    // plain text, as 401 and the probes answer
  }
  return { status: reply.status, body: parsed, text };
}

/** The result of a call that must succeed. */
export async function ask<T>(url: string, method: string, path: string, body?: unknown): Promise<T> {
  const reply = await send(url, method, path, body);
  if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.body.result as T;
}
