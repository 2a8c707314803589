/** Between messages and the API's JSON where both have the same keys but for a few fields. */

export type Plain = Record<string, unknown>;
export type FieldConverters = Readonly<Record<string, (value: never) => unknown>>;

/** Every field that is there, converted when there is a converter; what converts to undefined is left out. */
export function reshaped(fields: object, converters: FieldConverters): Plain {
  const out: Plain = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    const convert = converters[key] as ((value: unknown) => unknown) | undefined;
    const converted = convert === undefined ? (value as unknown) : convert(value);
    if (converted !== undefined) out[key] = converted;
  }
  return out;
}

export function recordOf<T>(map: ReadonlyMap<string, T> | undefined, convert: (value: T) => unknown): Plain {
  return Object.fromEntries([...(map ?? [])].map(([key, value]) => [key, convert(value)]));
}

export function mapOf<T>(
  record: Readonly<Record<string, T>>,
  convert: (value: T) => object,
): Map<string, object> {
  return new Map(Object.entries(record).map(([key, value]) => [key, convert(value)]));
}
