/** Universal queries out of JSON: `POST /points/query` and its batch. */
import {
  ClusterError,
  defaultSearchParams,
  parsePointId,
  type AddressedQuery,
  type Query,
  type SearchParams,
  type Vector,
  type VectorInput,
} from '@quiver/model';
import {
  booleanOr,
  checkMin,
  fieldOf,
  fieldsOf,
  isFields,
  isSaid,
  malformed,
  missingField,
  notSupported,
  optionalBoolean,
  optionalFloat,
  optionalInteger,
  optionalString,
  Problems,
  requiredList,
  stringOf,
  type Fields,
} from './fields.ts';
import { targetRecallProblem } from '../../target-recall.ts';
import { decodeFilter } from './filter.ts';
import { decodeOrderBy } from './order-by.ts';
import { decodePayloadSelector, decodeVectorSelector } from './selectors.ts';
import { decodeShardKeys } from './shard-key.ts';
import { decodeVector, isInference, noInference, type Marks } from './vector.ts';

const limitDefault = 10;
/** Kinds of the universal query that this version does not rank by. */
const laterKinds = [
  'recommend',
  'discover',
  'context',
  'fusion',
  'rrf',
  'formula',
  'relevance_feedback',
] as const;

export function decodeQuery(doc: unknown, marks: Marks): AddressedQuery {
  const problems = new Problems();
  const request = decodeQueryFields(doc, marks, 'internal', problems);
  problems.check();
  return request;
}

export function decodeQueryBatch(doc: unknown, marks: Marks): AddressedQuery[] {
  const problems = new Problems();
  const searches = requiredList(fieldsOf(doc, 'struct QueryRequestBatch'), 'searches').map((item, i) =>
    decodeQueryFields(item, marks, `searches[${i}].internal`, problems),
  );
  problems.check();
  return searches;
}

/** An extension: `explain` beside the other fields of a query, or of a batch for all of it. */
export function decodeExplain(doc: unknown): boolean {
  const value = isFields(doc) ? fieldOf(doc, 'explain') : undefined;
  if (!isSaid(value)) return false;
  if (typeof value !== 'boolean')
    throw malformed(`explain is ${JSON.stringify(value)}; it takes true or false`);
  return value;
}

function decodeQueryFields(doc: unknown, marks: Marks, path: string, problems: Problems): AddressedQuery {
  const fields = fieldsOf(doc, 'struct QueryRequest');
  refusePrefetch(fieldOf(fields, 'prefetch'));
  const query = decodeQueryKind(fieldOf(fields, 'query'), marks, `${path}.query`, problems);
  const lookup = fieldOf(fields, 'lookup_from');
  if (isSaid(fieldOf(fields, 'score_threshold'))) checkThreshold(query);
  return {
    query,
    using: optionalString(fields, 'using') ?? '',
    ...decodeSearchFields(fields, path, problems),
    limit: optionalInteger(fields, 'limit') ?? limitDefault,
    lookupFrom: isSaid(lookup) ? decodeLookup(lookup) : null,
  };
}

function checkThreshold(query: Query | null): void {
  if (query === null)
    throw new ClusterError(
      'bad_request',
      "A query is needed to use the score_threshold. Can't have score_threshold without defining a query.",
    );
  if (query.kind === 'order_by')
    throw new ClusterError('bad_request', "Can't use score_threshold with an order_by query.");
}

/** What queries and legacy searches have in common. The limit is only checked. */
export function decodeSearchFields(
  fields: Fields,
  path: string,
  problems: Problems,
): Omit<AddressedQuery, 'query' | 'using' | 'limit' | 'lookupFrom'> {
  checkMin(optionalInteger(fields, 'limit'), 1, `${path}.limit`, problems);
  return {
    ...decodeShardKeys(fields),
    filter: decodeFilter(fieldOf(fields, 'filter'), `${path}.filter`, problems),
    params: decodeParams(fieldOf(fields, 'params'), `${path}.params`, problems),
    offset: optionalInteger(fields, 'offset') ?? 0,
    scoreThreshold: optionalFloat(fields, 'score_threshold') ?? null,
    withPayload: decodePayloadSelector(fields, false),
    withVector: decodeVectorSelector(fields),
  };
}

function refusePrefetch(value: unknown): void {
  if (!isSaid(value) || (Array.isArray(value) && value.length === 0)) return;
  throw notSupported('prefetch');
}

function decodeLookup(value: unknown): AddressedQuery['lookupFrom'] {
  const fields = fieldsOf(value, 'struct LookupLocation');
  const collection = fieldOf(fields, 'collection');
  if (collection === undefined) throw missingField('collection');
  return {
    ...decodeShardKeys(fields),
    collection: stringOf(collection),
    vector: optionalString(fields, 'vector') ?? null,
  };
}

function decodeQueryKind(value: unknown, marks: Marks, path: string, problems: Problems): Query | null {
  if (!isSaid(value)) return null;
  if (isFields(value)) {
    if (Object.hasOwn(value, 'nearest')) {
      if (isSaid(fieldOf(value, 'mmr'))) throw notSupported('Query kind `mmr`');
      const input = decodeInput(fieldOf(value, 'nearest'), marks, path, problems);
      return { kind: 'nearest', input };
    }
    if (Object.hasOwn(value, 'order_by'))
      return { kind: 'order_by', orderBy: decodeOrderBy(fieldOf(value, 'order_by')) };
    if (Object.hasOwn(value, 'sample')) {
      if (fieldOf(value, 'sample') !== 'random') throw noQuery();
      return { kind: 'sample' };
    }
    const later = laterKinds.find((kind) => Object.hasOwn(value, kind));
    if (later !== undefined) throw notSupported(`Query kind \`${later}\``);
  }
  return { kind: 'nearest', input: decodeInput(value, marks, path, problems) };
}

function noQuery(): Error {
  return malformed(
    'Expected some form of vector, id, or a type of query (a list of numbers, a list of such lists, ' +
      '{indices, values}, an unsigned integer, a UUID, or one of nearest, order_by, sample)',
  );
}

function decodeInput(value: unknown, marks: Marks, path: string, problems: Problems): VectorInput {
  const id = parsePointId(value);
  // A mark is a string, never a UUID.
  if (id !== null) return { kind: 'id', id };
  if (isFields(value) && isInference(value)) throw noInference();
  const vector = decodeVector(value, marks, path, problems, true);
  if (vector === null) throw noQuery();
  return { kind: 'vector', vector: ownVector(vector) };
}

/** The next body may be scanned while this request waits. */
export function ownVector(vector: Vector): Vector {
  if (vector.kind === 'dense') return { kind: 'dense', values: vector.values.slice() };
  if (vector.kind === 'sparse') return { ...vector, values: vector.values.slice() };
  return vector;
}

export function decodeParams(value: unknown, path: string, problems: Problems): SearchParams {
  if (!isSaid(value)) return defaultSearchParams;
  const fields = fieldsOf(value, 'struct SearchParams');
  if (isSaid(fieldOf(fields, 'idf'))) throw notSupported('Search parameter `idf`');
  const hnswEf = optionalInteger(fields, 'hnsw_ef');
  checkMin(hnswEf, 1, `${path}.hnsw_ef`, problems);
  const targetRecall = optionalFloat(fields, 'target_recall', 'f64');
  const problem = targetRecall === undefined ? null : targetRecallProblem(targetRecall);
  if (problem !== null) problems.add(`${path}.target_recall`, problem);
  return {
    hnswEf: hnswEf ?? null,
    ...(targetRecall === undefined ? {} : { targetRecall }),
    exact: booleanOr(fields, 'exact', false),
    indexedOnly: booleanOr(fields, 'indexed_only', false),
    quantization: decodeQuantization(fieldOf(fields, 'quantization'), `${path}.quantization`, problems),
    acorn: decodeAcorn(fieldOf(fields, 'acorn'), `${path}.acorn`, problems),
  };
}

function decodeQuantization(value: unknown, path: string, problems: Problems): SearchParams['quantization'] {
  if (!isSaid(value)) return null;
  const fields = fieldsOf(value, 'struct QuantizationSearchParams');
  const oversampling = optionalFloat(fields, 'oversampling', 'f64');
  if (oversampling !== undefined && !(oversampling >= 1))
    problems.add(`${path}.oversampling`, `value ${decimal(oversampling)} invalid, must be 1.0 or larger`);
  return {
    ignore: booleanOr(fields, 'ignore', false),
    rescore: optionalBoolean(fields, 'rescore') ?? null,
    oversampling: oversampling ?? null,
  };
}

function decodeAcorn(value: unknown, path: string, problems: Problems): SearchParams['acorn'] {
  if (!isSaid(value)) return null;
  const fields = fieldsOf(value, 'struct AcornSearchParams');
  const selectivity = optionalFloat(fields, 'max_selectivity', 'f64');
  if (selectivity !== undefined && !(selectivity >= 0 && selectivity <= 1))
    problems.add(`${path}.max_selectivity`, `value ${decimal(selectivity)} invalid, must be from 0.0 to 1.0`);
  return { enable: booleanOr(fields, 'enable', false), maxSelectivity: selectivity ?? null };
}

/** As Rust prints a float: 1.0, not 1; 1e+16, not 10000000000000000. */
export function decimal(value: number): string {
  if (Math.abs(value) >= 1e16) return value.toExponential();
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
