import { describe, expect, test } from 'vitest';
import { parseRequestHead } from './request-head.ts';

const head = (...lines: string[]): ReturnType<typeof parseRequestHead> =>
  parseRequestHead(['POST /a/b?c=d HTTP/1.1', 'Host: x', ...lines].join('\r\n'));

describe('a head', () => {
  test('is read into method, target, headers by lower-case name and length', () => {
    const found = head(
      'Content-Length: 12',
      'Accept-Encoding:gzip,\tbr \t',
      'X-Empty:',
      'Connection: Keep-Alive',
    );
    expect(found).toEqual({
      method: 'POST',
      url: '/a/b?c=d',
      headers: new Map([
        ['host', 'x'],
        ['content-length', '12'],
        ['accept-encoding', 'gzip,\tbr'],
        ['x-empty', ''],
        ['connection', 'Keep-Alive'],
      ]),
      bodyBytes: 12,
    });
    expect(head()?.bodyBytes).toBe(0);
  });

  test.each([
    ['two lengths', 'Content-Length: 3', 'content-length: 3'],
    ['a length that is none', 'Content-Length: +3'],
    ['a list of lengths', 'Content-Length: 3, 3'],
    ['an endless length', 'Content-Length: 33333333333'],
    ['a transfer coding', 'Transfer-Encoding: chunked'],
    ['an expectation', 'Expect: 100-continue'],
    ['another protocol', 'Connection: Upgrade', 'Upgrade: h2c'],
    ['a connection that ends', 'Connection: close'],
    ['a folded line', 'X-A: b', ' c'],
    ['a space before the colon', 'Content-Length : 3'],
    ['a line without a colon', 'Content-Length'],
    ['a header twice', 'X-A: 1', 'x-a: 2'],
    ['a control character', 'X-A: a\u0001b'],
    ['a bare line feed', 'X-A: a\nContent-Length: 3'],
    ['a byte beyond ASCII', 'X-A: \u00e4'],
    ['more headers than are counted', ...Array.from({ length: 101 }, (_, i) => `X-${i}: 1`)],
  ])('with %s is left alone', (_, ...lines) => {
    expect(head(...lines)).toBeNull();
  });

  test.each([
    'POST /a HTTP/1.0\r\nHost: x',
    'POST /a HTTP/1.1',
    'POST /a HTTP/1.1\r\nHost: x\r\nHost: x',
    'post /a HTTP/1.1\r\nHost: x',
    'POST  /a HTTP/1.1\r\nHost: x',
    'POST a HTTP/1.1\r\nHost: x',
    'POST http://x/a HTTP/1.1\r\nHost: x',
    'POST /ä HTTP/1.1\r\nHost: x',
    'HEAD /a HTTP/1.1\r\nHost: x',
    'OPTIONS /a HTTP/1.1\r\nHost: x',
    '\r\nPOST /a HTTP/1.1\r\nHost: x',
    '',
  ])('%j is left alone', (text) => {
    expect(parseRequestHead(text)).toBeNull();
  });
});
