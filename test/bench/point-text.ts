/**
 * Points as the JSON text of an upsert, into a buffer that is used again. Numbers have five decimals, as many clients send them, and
 * the rows are rounded to what was written: writing the shortest text of each f32 would cost more than all else of a client of ten
 * million rows.
 */
const one = 100_000;
/** `-0.12345,`; a one has a digit before the point as well. */
const numberBytes = 9;
const [comma, minus, point, zero] = [44, 45, 46, 48];

/** Elements become multiples of 1e-5, in place. */
export function roundRow(row: Float32Array): void {
  for (let i = 0; i < row.length; i += 1) row[i] = Math.round(row[i]! * one) / one;
}

export interface PointText {
  add(id: number, row: Float32Array): void;
  /** The body of PUT /points; what was added is forgotten. The bytes are the caller's. */
  take(): Uint8Array<ArrayBuffer>;
}

/** REQUIRES: rows rounded by `roundRow`, elements within -1..1, ids below 1e12. */
export function createPointText(dim: number, pointsMax: number): PointText {
  const open = Buffer.from('{"points":[');
  const bytes = Buffer.alloc(open.length + pointsMax * (dim * numberBytes + 80) + 2);
  open.copy(bytes);
  let at = open.length;
  const write = (text: string): void => {
    at += bytes.write(text, at, 'latin1');
  };
  return {
    add(id, row) {
      write(`${at === open.length ? '' : ','}{"id":${id},"vector":[`);
      for (const value of row) at = writeNumber(bytes, at, Math.round(value * one));
      // The comma after the last number.
      at -= 1;
      write(`],"payload":{"n":${id % 1000}}}`);
    },
    take() {
      write(']}');
      const text = Uint8Array.from(bytes.subarray(0, at));
      at = open.length;
      return text;
    },
  };
}

/** @param hundredThousandths - of the number */
function writeNumber(bytes: Uint8Array, at: number, hundredThousandths: number): number {
  let rest = hundredThousandths;
  if (rest < 0) {
    rest = -rest;
    bytes[at++] = minus;
  }
  for (let digit = 6; digit > 1; digit -= 1) {
    const tenth = Math.floor(rest / 10);
    bytes[at + digit] = zero + rest - 10 * tenth;
    rest = tenth;
  }
  bytes[at] = zero + rest;
  bytes[at + 1] = point;
  bytes[at + 7] = comma;
  return at + 8;
}
