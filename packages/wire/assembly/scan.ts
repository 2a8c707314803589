// Cuts lists of numbers at vector positions and objects under "payload" out of a body; what is left is small enough
// for JSON.parse. In their place stand strings that begin with U+0001, "\u0001v12" and "\u0001p3": a body that holds
// such a string itself, or an escaped key, is not scanned but parsed whole.
import { isDigit, skipSpace, stringEnd } from './bytes';
import { hardCount, listEnd, numbers, resetHard, setHardCount } from './numbers';
import { depthMax, invalid, oddNumber, payloadEnd, tooDeep } from './validate';

const noDepth: i32 = 0x7fffffff;
// Shorter lists stay in the text: a mark would be longer than they are.
const cutMin: i32 = 8;

const keyOther: i32 = 0;
const keyVector: i32 = 1;
const keyPayload: i32 = 2;
// A list below is no dense vector.
const keyIds: i32 = 3;

const wholeBody: i32 = -1;
const nestedTooDeep: i32 = -2;
const more: i32 = -3;

// Where a scan stands, between two calls of scanOn.
let lim: usize = 0;
let textStart: usize = 0;
let vectors: usize = 0;
let payloads: usize = 0;
let headerStart: usize = 0;
let cuts: i32 = 0;
let atByte: usize = 0;
let atText: usize = 0;
let keptFrom: usize = 0;
let atFloat: usize = 0;
let atDepth: i32 = 0;
let atVectorDepth: i32 = noDepth;
let atKind: i32 = keyOther;
let vectorsCut: i32 = 0;
let payloadsCut: i32 = 0;
let metLongRun: u32 = 0;

function keyKind(k: usize, length: usize): i32 {
  const head = load<u32>(k);
  if (length == 6) return head == 0x74636576 && load<u16>(k, 4) == 0x726f ? keyVector : keyOther; // vector
  if (length == 5) return head == 0x72657571 && load<u8>(k, 4) == 0x79 ? keyVector : keyOther; // query
  if (length == 7) {
    if (head == 0x74636576) return load<u32>(k, 3) == 0x73726f74 ? keyVector : keyOther; // vectors
    if (head == 0x6c796170) return load<u32>(k, 3) == 0x64616f6c ? keyPayload : keyOther; // payload
    if (head == 0x69646e69) return load<u32>(k, 3) == 0x73656369 ? keyIds : keyOther; // indices
    return keyOther;
  }
  if (length == 8)
    return load<u64>(k) == 0x6576697469736f70 || load<u64>(k) == 0x657669746167656e ? keyIds : keyOther; // positive, negative
  return keyOther;
}

// A mark for the index: "\u0001" and a letter. Returns the address behind it.
function putMark(o: usize, letter: u32, index: i32): usize {
  store<u64>(o, 0x31303030755c22); // "\u0001
  o += 7;
  store<u8>(o++, letter);
  let weight = 1;
  while (weight * 10 <= index) weight *= 10;
  while (weight) {
    store<u8>(o++, 48 + <u8>((index / weight) % 10));
    weight /= 10;
  }
  store<u8>(o++, 34);
  return o;
}

// body: `length` bytes with 64 zero bytes behind them. text: what is left. floats: f32 area. vectorTable: (address of
// the floats, count) per vector. payloadTable: (start, end) per payload. hards: see numbers.ts. header, u32 each:
// vectors, payloads, hard numbers, 1 when a run of 16 digits was met, 1 when the text is not ASCII, end of the floats.
export function beginScan(
  body: usize,
  length: usize,
  text: usize,
  floats: usize,
  vectorTable: usize,
  payloadTable: usize,
  hards: usize,
  header: usize,
  cutPayloads: i32,
): void {
  resetHard(hards);
  lim = body + length;
  textStart = atText = text;
  vectors = vectorTable;
  payloads = payloadTable;
  headerStart = header;
  cuts = cutPayloads;
  atByte = keptFrom = body;
  atFloat = floats;
  atDepth = vectorsCut = payloadsCut = 0;
  atVectorDepth = noDepth;
  atKind = keyOther;
  metLongRun = 0;
}

// Goes on for about so many bytes of the body.
// Returns the length of the text, -1: parse the whole body, -2: nested too deeply, -3: call again.
export function scanOn(bytes: usize): i32 {
  const stop = min(lim, atByte + bytes);
  let p = atByte;
  let o = atText;
  let from = keptFrom;
  let f = atFloat;
  let depth = atDepth;
  let vectorDepth = atVectorDepth;
  let kind = atKind;
  let vectorCount = vectorsCut;
  let payloadCount = payloadsCut;
  let longRun = metLongRun;
  while (p < stop) {
    const c: u32 = load<u8>(p);
    if (c == 34) {
      const start = p + 1;
      if (load<u32>(start) == 0x3030755c && load<u16>(start, 4) == 0x3130) return wholeBody;
      p = stringEnd(start, lim);
      if (p == 0) return wholeBody;
      const colon = skipSpace(p);
      if (load<u8>(colon) != 58 || colon >= lim) continue;
      const keyLength = p - 1 - start;
      for (let i = start; i < start + keyLength; i++) if (load<u8>(i) == 92) return wholeBody;
      kind = keyKind(start, keyLength);
      p = skipSpace(colon + 1);
      if (kind == keyVector && vectorDepth == noDepth) {
        const d: u32 = load<u8>(p);
        if (d == 91 || d == 123) vectorDepth = depth;
      } else if (kind == keyPayload && vectorDepth == noDepth && cuts && load<u8>(p) == 123) {
        const end = payloadEnd(p, lim, depth);
        if (end == tooDeep) return nestedTooDeep;
        if (end == invalid || end == oddNumber) return wholeBody;
        const entry = payloads + ((<usize>payloadCount) << 3);
        store<u32>(entry, <u32>p);
        store<u32>(entry, <u32>end, 4);
        memory.copy(o, from, p - from);
        o = putMark(o + (p - from), 112, payloadCount++);
        p = from = end;
      }
      continue;
    }
    if (c == 91) {
      if (++depth > depthMax) return nestedTooDeep;
      if (vectorDepth != noDepth && kind != keyIds) {
        const hardBefore = hardCount;
        const n = numbers(p + 1, f);
        if (n >= cutMin) {
          memory.copy(o, from, p - from);
          o = putMark(o + (p - from), 118, vectorCount);
          const entry = vectors + ((<usize>vectorCount) << 3);
          store<u32>(entry, <u32>f);
          store<u32>(entry, n, 4);
          vectorCount++;
          f += (<usize>n) << 2;
          p = from = listEnd;
          if (--depth <= vectorDepth) vectorDepth = noDepth;
          continue;
        }
        setHardCount(hardBefore);
      }
      if (kind == keyIds) kind = keyOther;
      p++;
      continue;
    }
    if (c == 123) {
      if (++depth > depthMax) return nestedTooDeep;
      p++;
      continue;
    }
    if (c == 93 || c == 125) {
      if (--depth <= vectorDepth) vectorDepth = noDepth;
      p++;
      continue;
    }
    if (isDigit(c)) {
      const start = p;
      do p++;
      while (isDigit(load<u8>(p)));
      if (p - start >= 16) longRun = 1;
      continue;
    }
    p++;
  }
  if (p < lim) {
    atByte = p;
    atText = o;
    keptFrom = from;
    atFloat = f;
    atDepth = depth;
    atVectorDepth = vectorDepth;
    atKind = kind;
    vectorsCut = vectorCount;
    payloadsCut = payloadCount;
    metLongRun = longRun;
    return more;
  }
  memory.copy(o, from, lim - from);
  o += lim - from;
  // May look at bytes behind the text: that only costs a UTF-8 decode.
  let any = i8x16.splat(0);
  for (let r = textStart; r < o; r += 16) any = v128.or(any, v128.load(r));
  store<u32>(headerStart, vectorCount);
  store<u32>(headerStart, payloadCount, 4);
  store<u32>(headerStart, hardCount, 8);
  store<u32>(headerStart, longRun, 12);
  store<u32>(headerStart, i8x16.bitmask(any) != 0 ? 1 : 0, 16);
  store<u32>(headerStart, <u32>f, 20);
  return <i32>(o - textStart);
}
