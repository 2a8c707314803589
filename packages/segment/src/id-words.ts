/**
 * Point ids in flat form: a kind and four u32 words, most significant first, so that comparing kind and then words is
 * the id order of the model.
 */
import { joinNumericId, type PointId } from '@quiver/model';

/** Kind at 0, words at 1..4. */
export type IdWords = Uint32Array;

export function createIdWords(): IdWords {
  return new Uint32Array(5);
}

/** Writes an id over `into`, which is returned. */
export function idWords(id: PointId, into: IdWords): IdWords {
  if (typeof id === 'string') {
    into[0] = 1;
    into[1] = Number.parseInt(id.slice(0, 8), 16);
    into[2] = Number.parseInt(id.slice(9, 13) + id.slice(14, 18), 16);
    into[3] = Number.parseInt(id.slice(19, 23) + id.slice(24, 28), 16);
    into[4] = Number.parseInt(id.slice(28, 36), 16);
    return into;
  }
  into[0] = 0;
  into[1] = 0;
  into[2] = 0;
  if (typeof id === 'number') {
    into[3] = Math.floor(id / 0x1_0000_0000);
    into[4] = id >>> 0;
  } else {
    into[3] = Number(id >> 32n);
    into[4] = Number(id & 0xffff_ffffn);
  }
  return into;
}

/** The id stored at row `row` of the flat columns. */
export function idAt(kinds: Uint8Array, words: Uint32Array, row: number): PointId {
  const at = 4 * row;
  if (kinds[row] === 0) return joinNumericId(words[at + 2]!, words[at + 3]!);
  const hex = (word: number): string => word.toString(16).padStart(8, '0');
  const [a, b, c, d] = [hex(words[at]!), hex(words[at + 1]!), hex(words[at + 2]!), hex(words[at + 3]!)];
  return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`;
}

/** A well-mixed u32 of an id. */
export function hashWords(kind: number, w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w3 ^ Math.imul(kind + 1, 0x9e37_79b1), 0x85eb_ca6b);
  h = Math.imul((h ^ (h >>> 15)) + w2, 0xc2b2_ae35);
  h = Math.imul((h ^ (h >>> 13)) + w1, 0x27d4_eb2f);
  h = Math.imul((h ^ (h >>> 16)) + w0, 0x1656_67b1);
  return (h ^ (h >>> 15)) >>> 0;
}
