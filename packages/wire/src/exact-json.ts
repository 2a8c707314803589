/** JSON.parse with integers beyond 2^53 as bigints, for what the scanner leaves and for bodies it does not take. */

interface SourceContext {
  source?: string;
}
type Reviver = (key: string, value: unknown) => unknown;

const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON: (text: string) => unknown;
  isRawJSON: (value: unknown) => boolean;
};

/** @throws SyntaxError as JSON.parse */
export function parseWithBigIntegers(text: string): unknown {
  return JSON.parse(text, reviveBigIntegers as Reviver);
}

/**
 * The whole body at once. With `keepPayloads`, whole numbers written as floats in objects under `payload` stay as they
 * are written (JSON.rawJSON), since filters tell 1 from 1.0.
 * @throws SyntaxError as JSON.parse, and for a number beyond f64
 */
export function parseExact(text: string, keepPayloads: boolean): unknown {
  const doc: unknown = JSON.parse(text, (keepPayloads ? reviveWholeFloats : reviveBigIntegers) as Reviver);
  return keepPayloads ? plainOutsidePayloads(doc) : doc;
}

function reviveBigIntegers(_key: string, value: unknown, context: SourceContext): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  if (!Number.isFinite(value)) throw new SyntaxError('number out of range');
  const source = context.source ?? '';
  return isInteger(source) ? BigInt(source) : value;
}

function reviveWholeFloats(key: string, value: unknown, context: SourceContext): unknown {
  if (typeof value !== 'number') return value;
  if (Number.isInteger(value) && !isInteger(context.source ?? '')) return rawJSON(context.source ?? '');
  return reviveBigIntegers(key, value, context);
}

function isInteger(source: string): boolean {
  return /^-?\d+$/.test(source);
}

function plainOutsidePayloads(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isRawJSON(value)) return Number((value as { rawJSON: string }).rawJSON);
  if (Array.isArray(value)) return value.map(plainOutsidePayloads);
  for (const [key, item] of Object.entries(value))
    if (key !== 'payload' || typeof item !== 'object' || isRawJSON(item))
      Object.defineProperty(value, key, {
        value: plainOutsidePayloads(item),
        writable: true,
        enumerable: true,
        configurable: true,
      });
  return value;
}
