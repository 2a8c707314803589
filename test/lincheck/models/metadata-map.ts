/**
 * Metadata by key, where every write takes a revision above all earlier ones and may ask for the revision it read
 * (compare-and-set). The counter is shared by all keys, and by writers outside the history: per key only its order is
 * known. A write whose reply was lost has an unknown revision, somewhere above the last known one, until a read shows
 * it; a compare-and-set against it may then have matched or not, which is the one step with two outcomes.
 */
import type { Model } from '../model.ts';

export type MetadataInput =
  | { readonly kind: 'get'; readonly key: string }
  /** `value` null deletes. `expects` 0: the key must be absent; undefined: unconditional. */
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string | null;
      readonly expects?: number;
    };

/** get: value and its revision, or null when absent. put: the revision given, or 'conflict' (nothing was changed). */
export type MetadataOutput =
  { readonly value: string; readonly revision: number } | { readonly revision: number } | null | 'conflict';

interface Cell {
  /** null: absent. */
  readonly value: string | null;
  /** Revision of the last write; undefined when its reply was lost. */
  readonly revision: number | undefined;
  /** With an unknown revision: it is above this, */
  readonly above: number;
  /** and none of these, because a compare-and-set on them met a conflict. Ascending. */
  readonly not: readonly number[];
}

export const metadataMap: Model<MetadataInput, MetadataOutput, Cell> = {
  name: 'metadata map',
  initial: { value: null, revision: 0, above: 0, not: [] },
  partitionOf: (input) => `key ${input.key}`,
  isRead: (input) => input.kind === 'get',
  step(cell, input, output) {
    if (input.kind === 'get') return output === undefined ? [cell] : stepGet(cell, output);
    return stepPut(cell, input.value, input.expects, output);
  },
  keyOf(cell) {
    const revision = cell.revision ?? `>${cell.above}${cell.not.map((r) => `!${r}`).join('')}`;
    return `${JSON.stringify(cell.value)}@${revision}`;
  },
  describe(input, output) {
    const result = output === undefined ? '?' : JSON.stringify(output);
    if (input.kind === 'get') return `get ${input.key} -> ${result}`;
    const expects = input.expects === undefined ? '' : ` if @${input.expects}`;
    return `put ${input.key} ${JSON.stringify(input.value)}${expects} -> ${result}`;
  },
};

function stepGet(cell: Cell, output: MetadataOutput): readonly Cell[] {
  if (output === null) return cell.value === null ? [cell] : [];
  if (output === 'conflict' || !('value' in output) || output.value !== cell.value) return [];
  return mayBe(cell, output.revision) ? [known(cell.value, output.revision)] : [];
}

function stepPut(
  cell: Cell,
  value: string | null,
  expects: number | undefined,
  output: MetadataOutput | undefined,
): readonly Cell[] {
  const matches = expects === undefined || fits(cell, expects);
  const misses = expects !== undefined && !fitsSurely(cell, expects);
  const floor = Math.max(cell.revision ?? cell.above, expects ?? 0);
  const states: Cell[] = [];
  if (matches && (output === undefined || isWritten(output, floor)))
    states.push(
      output === undefined ? { value, revision: undefined, above: floor, not: [] } : written(value, output),
    );
  if (misses && (output === undefined || output === 'conflict')) states.push(without(cell, expects));
  return states;
}

function isWritten(output: MetadataOutput, floor: number): boolean {
  return output !== null && output !== 'conflict' && output.revision > floor;
}

function written(value: string | null, output: MetadataOutput): Cell {
  return known(value, (output as { readonly revision: number }).revision);
}

function known(value: string | null, revision: number): Cell {
  return { value, revision, above: 0, not: [] };
}

/** Could the last write have this revision? */
function mayBe(cell: Cell, revision: number): boolean {
  if (cell.revision !== undefined) return cell.revision === revision;
  return revision > cell.above && !cell.not.includes(revision);
}

/** An absent key meets 0 and nothing else. */
function fits(cell: Cell, expects: number): boolean {
  return cell.value === null ? expects === 0 : mayBe(cell, expects);
}

function fitsSurely(cell: Cell, expects: number): boolean {
  return cell.value === null ? expects === 0 : cell.revision === expects;
}

/** What a conflict on that revision tells. */
function without(cell: Cell, expects: number): Cell {
  if (cell.value === null || cell.revision !== undefined || !mayBe(cell, expects)) return cell;
  return { ...cell, not: [...cell.not, expects].sort((a, b) => a - b) };
}
