import { describe, expect, test } from 'vitest';
import { createLog, parseLogLevel } from './log.ts';

function collecting(format: 'json' | 'text', level: 'info' | 'warn' = 'info') {
  const lines: string[] = [];
  return {
    lines,
    log: createLog({ level, format, fields: { thread: 'serve-1' }, write: (line) => lines.push(line) }),
  };
}

describe('the log', () => {
  test('a line is one JSON object with level, time, message and fields', () => {
    const { lines, log } = collecting('json');
    log.with({ collection: 'c' }).info('sealed', { points: 3 });
    const entry = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(entry).toMatchObject({
      level: 'info',
      msg: 'sealed',
      thread: 'serve-1',
      collection: 'c',
      points: 3,
    });
    expect(Number.isNaN(Date.parse(String(entry['time'])))).toBe(false);
  });

  test('an error is written with its code and its causes', () => {
    const { lines, log } = collecting('json');
    const cause = new Error('disk gone');
    log.error('write failed', {
      error: Object.assign(new Error('no commit', { cause }), { code: 'poisoned' }),
    });
    const entry = JSON.parse(lines[0] ?? '') as { error: Record<string, unknown> };
    expect(entry.error).toMatchObject({
      message: 'no commit',
      code: 'poisoned',
      cause: { message: 'disk gone' },
    });
  });

  test('a person reads one line without braces', () => {
    const { lines, log } = collecting('text');
    log.warn('slow request', { route: 'GET /', ms: 1500 });
    expect(lines[0]).toMatch(/^\S+Z WARN {2}slow request thread=serve-1 route="GET \/" ms=1500\n$/);
  });

  test('lines below the level are not written', () => {
    const { lines, log } = collecting('json', 'warn');
    log.info('not seen');
    expect(lines).toEqual([]);
    expect(log.enabled('info')).toBe(false);
  });

  test.each([
    ['INFO', 'info'],
    ['debug', 'debug'],
    ['OFF', 'silent'],
    ['warn,actix=error', 'warn'],
    ['storage=debug,info', 'info'],
    ['loud', null],
  ])('level %s is read as %s', (text, expected) => {
    expect(parseLogLevel(text)).toBe(expected);
  });
});
