/**
 * What a volume needs of a key-value engine underneath: atomic batches and ordered reads, nothing promised about faults.
 * Everything that makes it safe (checksums, the commit ring, the anchor, fail-stop) is built above this seam, so that
 * the faulty engine of the tests goes through the same code as LevelDB does.
 */
export type EngineWrite =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface EngineRange {
  /** inclusive */
  readonly from: Uint8Array;
  /** exclusive */
  readonly to: Uint8Array;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** The content of one moment. */
export interface EngineSnapshot {
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  pages(range: EngineRange): AsyncGenerator<readonly Entry[], void, undefined>;
  close(): Promise<void>;
}

export interface Engine {
  /**
   * Applies all writes or none and syncs them. The arrays are read before the call returns, so the caller may reuse
   * them at once. The caller never has two writes in flight.
   */
  write(writes: readonly EngineWrite[]): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getSync(key: Uint8Array): Uint8Array | undefined;
  /** Pages of entries in key order, over a snapshot taken at the first page. */
  pages(range: EngineRange): AsyncGenerator<readonly Entry[], void, undefined>;
  snapshot(): EngineSnapshot;
  /** Rewrites a range so that what was deleted in it gives its space back. */
  compact(from: Uint8Array, to: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
