import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkMetadata, metadataOf, percentEncoded, timeoutMs } from './headers.ts';

describe('what gRPC writes into headers', () => {
  test('any text is printable ASCII on the way and comes back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 200 }), (units) => {
        const text = String.fromCharCode(...units);
        const encoded = percentEncoded(text);
        expect(encoded).toMatch(/^[!-~]*$/);
        expect(decodeURIComponent(encoded)).toBe(text.toWellFormed());
      }),
    );
  });

  test('half of a character becomes the replacement character', () => {
    expect(decodeURIComponent(percentEncoded('a\ud800b'))).toBe('a\ufffdb');
  });

  test('a long text is cut between characters', () => {
    const encoded = percentEncoded('🦦'.repeat(5_000));
    expect(encoded.length).toBeLessThanOrEqual(4_096);
    expect(decodeURIComponent(encoded)).toMatch(/^(?:🦦){300,}$/u);
  });

  test('a timeout is up to eight digits and a unit', () => {
    expect(['2H', '2M', '2S', '2m', '2000u', '2000000n', '99999999S', '0m'].map(timeoutMs)).toEqual([
      7_200_000, 120_000, 2_000, 2, 2, 2, 99_999_999_000, 0,
    ]);
    for (const none of ['', '2', 'S', '2s', '-1S', '1.5S', '100000000S', '2S ', '2 S'])
      expect(timeoutMs(none)).toBeNull();
  });

  test('metadata has the values of a key together, and bytes in base64', () => {
    expect(metadataOf({ key: 'a, b' }, 'key')).toBe('a, b');
    expect(metadataOf({}, 'key')).toBeUndefined();
    expect(metadataOf({ 'key-bin': 'aGk=, eW91' }, 'key-bin')).toBe('hi');
    expect(metadataOf({ 'key-bin': 'aGk' }, 'key-bin')).toBe('hi');
  });

  test('metadata that HTTP cannot carry is not put into an answer', () => {
    for (const value of ['ü', 'a\n', ' a', 'a ', '\u0000'])
      expect(() => checkMetadata('key', value)).toThrow('cannot carry');
    expect(() => checkMetadata('Key', 'a')).toThrow('cannot have the key');
    expect(() => checkMetadata('key', '{"a": 1}')).not.toThrow();
  });
});
