/**
 * Filters that come again: compiled once, and the rows of sealed segments that passed, kept on one thread. Users repeat a few
 * filters with ever new vectors. Always: only what does not depend on the group is kept (conditions that columns answer; a
 * sealed segment's rows and columns never change); dead rows are taken out anew for each request; least recently used
 * filters go first.
 */
import type { Filter } from '@quiver/model';
import { Bitset } from './bitset.ts';
import { evaluateFilter, isOfColumns, rowsThatPass, type FilterSource } from './filter-evaluate.ts';
import { compileFilter, type PayloadSchema } from './filter-match.ts';
import type { FilterNode } from './filter-node.ts';
import type { Steps } from './steps.ts';

export interface PassingRows {
  /** Not to be changed. */
  readonly rows: Bitset;
  readonly count: number;
}

export interface SealedRows {
  /** Another object when its columns change. */
  readonly segment: object;
  readonly hasDead: boolean;
}

interface Kept {
  readonly node: FilterNode;
  /** By segment, and gone with it: a set must not keep a dropped segment's memory. */
  readonly rows: WeakMap<object, PassingRows>;
  bytes: number;
}

const filtersMax = 256;
/** Longer ones cost more to recognise than they save. */
const keyLengthMax = 4_096;
/** Of all sets of the thread: 67 of a million rows. */
const bytesMaxDefault = 8 * 1024 * 1024;

export class FilterCache {
  readonly #bytesMax: number;
  /** Least recently used first. */
  readonly #filters = new Map<string, Kept>();
  readonly #byNode = new WeakMap<FilterNode, Kept>();
  readonly #schemaTexts = new WeakMap<PayloadSchema, string>();
  #bytes = 0;

  constructor(bytesMax: number = bytesMaxDefault) {
    this.#bytesMax = bytesMax;
  }

  /** The same node for the same filter under the same indexes. */
  compile(filter: Filter, schema: PayloadSchema): FilterNode {
    const key = this.#schemaText(schema) + filterText(filter);
    const known = this.#filters.get(key);
    if (known !== undefined) {
      this.#filters.delete(key);
      this.#filters.set(key, known);
      return known.node;
    }
    const node = compileFilter(filter, schema);
    if (key.length > keyLengthMax) return node;
    const kept = { node, rows: new WeakMap<object, PassingRows>(), bytes: 0 };
    this.#filters.set(key, kept);
    this.#byNode.set(node, kept);
    this.#trim();
    return node;
  }

  /**
   * Rows of a segment that pass and are visible.
   * @param node - as `compile` gave it, or any other, for which nothing is kept
   * @param sealed - null: the segment still grows
   */
  *passing(node: FilterNode, source: FilterSource, sealed: SealedRows | null): Steps<PassingRows> {
    const kept = this.#byNode.get(node);
    if (kept === undefined || sealed === null || !isOfColumns(node, source)) {
      const rows = new Bitset(source.rowCount);
      yield* evaluateFilter(node, source, rows);
      return counted(rows);
    }
    let passing = kept.rows.get(sealed.segment);
    if (passing === undefined) {
      passing = counted(yield* rowsThatPass(node, source));
      this.#keep(kept, sealed.segment, passing);
    }
    if (!sealed.hasDead) return passing;
    const alive = new Bitset(source.rowCount);
    alive.copyFrom(passing.rows);
    yield* source.dropUnseen(alive);
    return counted(alive);
  }

  #keep(kept: Kept, segment: object, passing: PassingRows): void {
    const { byteLength } = passing.rows.words;
    if (byteLength > this.#bytesMax) return;
    kept.rows.set(segment, passing);
    kept.bytes += byteLength;
    this.#bytes += byteLength;
    this.#trim();
  }

  /** What was dropped with its segment is counted until its filter goes, so the bound holds all the same. */
  #trim(): void {
    for (const [key, { node, bytes }] of this.#filters) {
      if (this.#filters.size <= filtersMax && this.#bytes <= this.#bytesMax) return;
      this.#filters.delete(key);
      this.#byNode.delete(node);
      this.#bytes -= bytes;
    }
  }

  #schemaText(schema: PayloadSchema): string {
    let text = this.#schemaTexts.get(schema);
    if (text === undefined) {
      text = JSON.stringify(schema);
      this.#schemaTexts.set(schema, text);
    }
    return text;
  }
}

function counted(rows: Bitset): PassingRows {
  return { rows, count: rows.count() };
}

/** Equal for equal filters. JSON alone would take a bound that is no number for none. */
function filterText(filter: Filter): string {
  return JSON.stringify(filter, (_key, value: unknown) => {
    if (typeof value === 'bigint') return { integer: String(value) };
    return typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
  });
}
