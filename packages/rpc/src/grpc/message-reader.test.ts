import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageReader } from './message-reader.ts';
import { inPieces, prefixed } from './testing/raw-call.ts';

function readAll(reader: MessageReader, pieces: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let next = reader.next(); next !== null; next = reader.next()) messages.push(next);
  }
  return messages;
}

describe('a message reader', () => {
  test('gives the messages that were put in, however they are cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    const cuts = fc.array(fc.nat(60), { maxLength: 20 });
    fc.assert(
      fc.property(messages, cuts, (sent, lengths) => {
        let rest = Buffer.concat(sent.map((message) => prefixed(message)));
        const pieces: Buffer[] = [];
        for (const length of lengths) {
          pieces.push(rest.subarray(0, length));
          rest = rest.subarray(length);
        }
        pieces.push(rest);
        const reader = new MessageReader(100);
        const full = pieces.filter((piece) => piece.length > 0);
        expect(readAll(reader, full).map((one) => [...one])).toEqual(sent.map((one) => [...one]));
        expect(reader.isWithinMessage).toBe(false);
      }),
    );
  });

  test('puts together a message of several MiB', () => {
    const message = Buffer.alloc(3_500_001);
    for (let i = 0; i < message.length; i += 1) message[i] = i % 251;
    const reader = new MessageReader(message.length);
    const [read, ...more] = readAll(reader, inPieces(prefixed(message), 16_384));
    expect(read?.equals(message)).toBe(true);
    expect(more).toEqual([]);
  });

  test('takes no memory for a length alone', () => {
    const head = Buffer.alloc(6);
    head.writeUInt32BE(2 ** 32 - 1, 1);
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => {
      const reader = new MessageReader(2 ** 32 - 1);
      readAll(reader, [head]);
      return reader;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 2 ** 20);
    expect(readers.every((reader) => reader.isWithinMessage)).toBe(true);
  });

  test('refuses a length beyond the limit as soon as it is read', () => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(101, 1);
    expect(() => readAll(new MessageReader(100), [head])).toThrow('larger than max (101 vs 100)');
  });
});
