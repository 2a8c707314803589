/** `target_recall`, an extension: how a request asks for it, and what it cannot be asked for with. Fields as in docs/recall.md. */
import { ClusterError, type AddressedQuery, type CollectionRecord, type SearchParams } from '@quiver/model';
import { forbids, limitOf } from './strict-mode.ts';

/** Metadata of gRPC calls: a number, for every query of the call. */
export const targetRecallMetadata = 'x-quiver-target-recall';

/** What is wrong with a target, or null. */
export function targetRecallProblem(value: number): string | null {
  return value > 0 && value <= 1 ? null : `value ${value} invalid, must be above 0.0 and at most 1.0`;
}

/** @throws ClusterError bad_request */
export function targetRecallOfMetadata(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const target = value.trim() === '' ? NaN : Number(value);
  const problem = targetRecallProblem(target);
  if (problem === null) return target;
  throw new ClusterError(
    'bad_request',
    `metadata ${targetRecallMetadata} is ${JSON.stringify(value)}; it takes a number above 0 and at most 1, as 0.95`,
  );
}

/** A query as decoded, with the target of its call. */
export function withTargetRecall(query: AddressedQuery, target: number | undefined): AddressedQuery {
  return target === undefined ? query : { ...query, params: { ...query.params, targetRecall: target } };
}

/**
 * A target leaves it to the engine how wide a beam is and whether to scan; a request or a strict mode that says so itself
 * contradicts it. @throws ClusterError bad_request
 */
export function checkTargetRecall(record: CollectionRecord, params: SearchParams): void {
  if (params.targetRecall === undefined) return;
  const given: Record<string, unknown> = {
    hnsw_ef: params.hnswEf,
    quantization: params.quantization,
    acorn: params.acorn,
  };
  for (const [name, value] of Object.entries(given))
    if (value !== null)
      throw new ClusterError(
        'bad_request',
        `"target_recall" and "${name}" were both given: one says what to reach, the other how to search. Leave one of them out.`,
      );
  if (limitOf(record, 'search_max_hnsw_ef') !== null || forbids(record, 'search_allow_exact'))
    throw new ClusterError(
      'bad_request',
      'The strict mode of the collection limits "hnsw_ef" or exact search, and "target_recall" may need more. Help: use "hnsw_ef".',
    );
}
