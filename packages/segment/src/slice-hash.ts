/**
 * Which of `total` slices a point belongs to: SipHash-2-4 with the zero key over the id's bytes (8 little-endian bytes
 * of a number, the 16 bytes of a UUID), modulo `total`. Qdrant's public contract, so that clients can share out a scroll.
 */
import { encodePointId, pointIdBytes, type PointId } from '@quiver/model';

const idBytes = new Uint8Array(pointIdBytes);
const mask = 0xffff_ffff_ffff_ffffn;

/** 0..total-1 */
export function sliceOf(id: PointId, total: number): number {
  return Number(sipHash24(messageOf(id)) % BigInt(total));
}

function messageOf(id: PointId): Uint8Array {
  encodePointId(id, idBytes, 0);
  return typeof id === 'string' ? idBytes.slice(1) : idBytes.slice(9).reverse();
}

/** @see Aumasson and Bernstein 2012; the key is zero. */
export function sipHash24(message: Uint8Array): bigint {
  let v0 = 0x736f6d6570736575n;
  let v1 = 0x646f72616e646f6dn;
  let v2 = 0x6c7967656e657261n;
  let v3 = 0x7465646279746573n;
  const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & mask;
  const round = (): void => {
    v0 = (v0 + v1) & mask;
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & mask;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & mask;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & mask;
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  const whole = message.length - (message.length % 8);
  for (let at = 0; at <= whole; at += 8) {
    let word = at === whole ? BigInt(message.length & 0xff) << 56n : 0n;
    for (let i = 0; i < 8 && at + i < message.length; i += 1)
      word |= BigInt(message[at + i]!) << BigInt(8 * i);
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  v2 ^= 0xffn;
  for (let i = 0; i < 4; i += 1) round();
  return v0 ^ v1 ^ v2 ^ v3;
}
