/** Legacy searches out of JSON: `POST /points/search` and its batch, gone from Qdrant's document, still in use. */
import type { AddressedQuery, Vector } from '@quiver/model';
import {
  checkMin,
  fieldOf,
  fieldsOf,
  isFields,
  malformed,
  missingField,
  optionalInteger,
  Problems,
  requiredList,
} from './fields.ts';
import { decodeSearchFields, ownVector } from './query.ts';
import { decodeSparse, denseOf, type Marks } from './vector.ts';

export function decodeSearch(doc: unknown, marks: Marks): AddressedQuery {
  const problems = new Problems();
  const request = decodeSearchRequest(doc, marks, 'search_request', problems);
  problems.check();
  return request;
}

export function decodeSearchBatch(doc: unknown, marks: Marks): AddressedQuery[] {
  const problems = new Problems();
  const searches = requiredList(fieldsOf(doc, 'struct SearchRequestBatch'), 'searches').map((item, i) =>
    decodeSearchRequest(item, marks, `searches[${i}].search_request`, problems),
  );
  problems.check();
  return searches;
}

function decodeSearchRequest(doc: unknown, marks: Marks, path: string, problems: Problems): AddressedQuery {
  const fields = fieldsOf(doc, 'struct SearchRequest');
  const value = fieldOf(fields, 'vector');
  if (value === undefined) throw missingField('vector');
  const { using, vector } = decodeNamedVector(value, marks, `${path}.vector`, problems);
  const [byName, top] = [fieldOf(fields, 'limit'), fieldOf(fields, 'top')];
  if (byName !== undefined && top !== undefined) throw malformed('duplicate field `limit`');
  const limit = optionalInteger(fields, byName === undefined ? 'top' : 'limit');
  if (limit === undefined) throw missingField('limit');
  if (byName === undefined) checkMin(limit, 1, `${path}.limit`, problems);
  return {
    query: { kind: 'nearest', input: { kind: 'vector', vector: ownVector(vector) } },
    using,
    ...decodeSearchFields(fields, path, problems),
    limit,
    lookupFrom: null,
  };
}

/** A list, or `{name, vector}` with a list or a sparse vector. */
function decodeNamedVector(
  value: unknown,
  marks: Marks,
  path: string,
  problems: Problems,
): { using: string; vector: Vector } {
  const unnamed = denseOf(value, marks);
  if (unnamed !== null) return { using: '', vector: { kind: 'dense', values: unnamed } };
  const name = isFields(value) ? fieldOf(value, 'name') : undefined;
  const named = isFields(value) ? fieldOf(value, 'vector') : undefined;
  if (typeof name === 'string') {
    const dense = denseOf(named, marks);
    if (dense !== null) return { using: name, vector: { kind: 'dense', values: dense } };
    const sparse = isFields(named) ? decodeSparse(named, marks, path, problems) : null;
    if (sparse !== null) return { using: name, vector: sparse };
  }
  throw malformed(
    'data did not match any variant of untagged enum NamedVectorStruct (a list of numbers, or {name, vector})',
  );
}
