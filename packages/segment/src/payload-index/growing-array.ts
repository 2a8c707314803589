/** Typed arrays that grow while a column is built. Always: `view()` is what was pushed, nothing more. */
export interface GrowingArray<T extends Uint32Array | Float64Array> {
  readonly length: number;
  push(value: number): void;
  /** Valid until the next push. */
  view(): T;
}

export function growingUint32(): GrowingArray<Uint32Array> {
  return growing((length) => new Uint32Array(length));
}

export function growingFloat64(): GrowingArray<Float64Array> {
  return growing((length) => new Float64Array(length));
}

function growing<T extends Uint32Array | Float64Array>(create: (length: number) => T): GrowingArray<T> {
  let values = create(1_024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(value) {
      if (length === values.length) {
        const larger = create(2 * length);
        larger.set(values);
        values = larger;
      }
      values[length] = value;
      length += 1;
    },
    view: () => values.subarray(0, length) as T,
  };
}

/** Bytes of strings one after another, with where each ends. */
export function packTexts(texts: readonly string[]): { offsets: Uint32Array; bytes: Uint8Array } {
  const encoder = new TextEncoder();
  const offsets = new Uint32Array(texts.length + 1);
  let bytes = new Uint8Array(1_024);
  let end = 0;
  for (const [i, text] of texts.entries()) {
    if (end + 3 * text.length > bytes.length) {
      const larger = new Uint8Array(2 * bytes.length + 3 * text.length);
      larger.set(bytes);
      bytes = larger;
    }
    end += encoder.encodeInto(text, bytes.subarray(end)).written;
    offsets[i + 1] = end;
  }
  return { offsets, bytes: bytes.slice(0, end) };
}
