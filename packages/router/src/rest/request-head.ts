/**
 * Heads of HTTP/1.1 requests, for the fast lane. Pure. Always: a head is taken only when there is one way to read it (RFC 9112:
 * one length, no transfer coding, no folding, no header twice); whatever is odd is null, and node:http's parser decides about it.
 */

export interface RequestHead {
  readonly method: string;
  /** Path and query string. */
  readonly url: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** 0 when the request has none. */
  readonly bodyBytes: number;
}

/** HEAD, OPTIONS, CONNECT and their like have answers of their own. */
const firstLine = /^(GET|PUT|POST|PATCH|DELETE) (\/[!-~]*) HTTP\/1\.1$/;
/** RFC 9110: a token, then the value; what stands before and after the value is no part of it. */
const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?)?[ \t]*$/;
const digits = /^\d{1,10}$/;
const headersMax = 100;
/** They change how the connection goes on. */
const leftAlone = new Set(['transfer-encoding', 'expect', 'upgrade', 'trailer', 'te', 'http2-settings']);

/** @param text - up to the empty line, without it */
export function parseRequestHead(text: string): RequestHead | null {
  const lines = text.split('\r\n', headersMax + 2);
  if (lines.length > headersMax + 1) return null;
  const first = firstLine.exec(lines[0]!);
  if (first === null) return null;
  const headers = new Map<string, string>();
  for (let i = 1; i < lines.length; i += 1) {
    const found = headerLine.exec(lines[i]!);
    if (found === null) return null;
    const name = found[1]!.toLowerCase();
    if (headers.has(name) || leftAlone.has(name)) return null;
    headers.set(name, found[2] ?? '');
  }
  if (!headers.has('host')) return null;
  const connection = headers.get('connection');
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return null;
  const length = headers.get('content-length');
  if (length !== undefined && !digits.test(length)) return null;
  return { method: first[1]!, url: first[2]!, headers, bodyBytes: Number(length ?? 0) };
}
