/**
 * Is a recorded history linearizable? Splits it by object and searches each part within limits of its own. One object
 * without an order settles the whole, so the objects are searched in rounds, each with ten times the time of the one
 * before, and a round that finds such an object is the last: a hard object never hides an easy one. Shows where the
 * objects found get stuck. `unknown` (a limit was reached) is never taken for `valid`.
 */
import assert from 'node:assert';
import { isOpen, type Operation } from './operation.ts';
import { search, type SearchLimits, type Verdict } from './search.ts';
import { describeStuckWindow, findStuckWindow, type StuckWindow } from './stuck-window.ts';
import type { Model } from './model.ts';

export interface CheckLimits {
  /** Wall time for the last round's search of one object's history. */
  readonly partitionMsMax: number;
  /** Wall time for making one stuck window small. */
  readonly windowMsMax: number;
  /** Memory of the memo of one search. */
  readonly memoBytesMax: number;
}

/** 60 s: shared design/cluster.md §4.3. */
export const checkLimits: CheckLimits = {
  partitionMsMax: 60_000,
  windowMsMax: 5_000,
  memoBytesMax: 1 << 30,
};

const firstRoundMs = 100;
const roundGrowth = 10;
const windowsMax = 3;

export interface Report<I, O> {
  /** invalid when any object is; else unknown when any object is. */
  readonly verdict: Verdict;
  readonly operationCount: number;
  readonly objectCount: number;
  /** Objects that are not valid, in order of name; where one is invalid the unknown ones had no more than its round. */
  readonly failures: readonly ObjectFailure<I, O>[];
  /** One line when valid; otherwise the verdict of each failed object, the first few with their stuck windows. */
  readonly text: string;
}

export interface ObjectFailure<I, O> {
  readonly object: string;
  readonly verdict: 'invalid' | 'unknown';
  readonly operationCount: number;
  readonly window: StuckWindow<I, O> | undefined;
}

export function checkHistory<I, O, S>(
  model: Model<I, O, S>,
  history: readonly Operation<I, O>[],
  limits: CheckLimits = checkLimits,
): Report<I, O> {
  const partitions = partition(model, history);
  const verdicts = searchInRounds(model, partitions, limits);
  const failures: ObjectFailure<I, O>[] = [];
  let windows = 0;
  for (const [object, verdict] of [...verdicts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (verdict === 'valid') continue;
    const operations = partitions.get(object) ?? [];
    const isShown = verdict === 'invalid' && windows++ < windowsMax;
    const window = isShown
      ? findStuckWindow(model, operations, within(limits.windowMsMax, limits))
      : undefined;
    failures.push({ object, verdict, operationCount: operations.length, window });
  }
  const verdict = worst(failures);
  const head = `${verdict}: ${history.length} operations on ${partitions.size} objects (${model.name})`;
  return {
    verdict,
    operationCount: history.length,
    objectCount: partitions.size,
    failures,
    text: [head, ...failures.map((failure) => describeFailure(model, failure))].join('\n'),
  };
}

function searchInRounds<I, O, S>(
  model: Model<I, O, S>,
  partitions: ReadonlyMap<string, Operation<I, O>[]>,
  limits: CheckLimits,
): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>([...partitions.keys()].map((object) => [object, 'unknown']));
  for (let roundMs = firstRoundMs; ; roundMs *= roundGrowth) {
    const budgetMs = Math.min(roundMs, limits.partitionMsMax);
    for (const [object, operations] of partitions)
      if (verdicts.get(object) === 'unknown')
        verdicts.set(object, search(model, operations, within(budgetMs, limits)));
    const all = [...verdicts.values()];
    if (budgetMs === limits.partitionMsMax || all.includes('invalid') || !all.includes('unknown'))
      return verdicts;
  }
}

function worst(failures: readonly ObjectFailure<unknown, unknown>[]): Verdict {
  if (failures.some((failure) => failure.verdict === 'invalid')) return 'invalid';
  return failures.length > 0 ? 'unknown' : 'valid';
}

function within(budgetMs: number, limits: CheckLimits): SearchLimits {
  return { deadlineMs: performance.now() + budgetMs, memoBytesMax: limits.memoBytesMax };
}

function describeFailure<I, O>(model: Model<I, O, unknown>, failure: ObjectFailure<I, O>): string {
  const head = `${failure.object}: ${failure.verdict} over ${failure.operationCount} operations`;
  return failure.window === undefined ? head : `${head}\n${describeStuckWindow(model, failure.window)}`;
}

function partition<I, O>(
  model: Model<I, O, unknown>,
  history: readonly Operation<I, O>[],
): Map<string, Operation<I, O>[]> {
  const partitions = new Map<string, Operation<I, O>[]>();
  for (const operation of history) {
    const open = isOpen(operation);
    assert(open === (operation.output === undefined), 'an operation has an output exactly when it returned');
    if (open && model.isRead(operation.input)) continue;
    const object = model.partitionOf(operation.input);
    const list = partitions.get(object);
    if (list === undefined) partitions.set(object, [operation]);
    else list.push(operation);
  }
  if (model.withoutUnseen !== undefined)
    for (const [object, list] of partitions) partitions.set(object, [...model.withoutUnseen(list)]);
  return partitions;
}
