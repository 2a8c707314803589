/** Routes of points: three lines each, decode, call, encode. */
import { ClusterError, type AddressedQuery, type ShardExplanation } from '@quiver/model';
import type { RequestContext } from '../api.ts';
import { explanationJson } from '../explain.ts';
import type { LongBodyKind } from '../long-bodies.ts';
import type { Answer, Call, Route } from './call.ts';
import { checkOrdering, decodeConsistency, decodeTimeoutMs, decodeWait } from './decode/query-string.ts';
import { decodeExplain, decodeQuery, decodeQueryBatch } from './decode/query.ts';
import { pointIdOfPath } from './decode/point-id.ts';
import { decodeCount, decodeFacet, decodeRetrieve, decodeScroll } from './decode/reads.ts';
import { decodeSearch, decodeSearchBatch } from './decode/search.ts';
import * as updates from './decode/updates.ts';
import {
  writeFacetHits,
  writeRecord,
  writeRecords,
  writeScoredPoints,
  writeScrollPage,
  writeUpdateResult,
} from './encode-points.ts';

const base = '/collections/{collection_name}';

function name(call: Call): string {
  return call.parameter('collection_name');
}

function readContext(call: Call): ReturnType<Call['context']> {
  const consistency = decodeConsistency(call.query);
  return call.readContext(decodeTimeoutMs(call.query), consistency);
}

function withExplanations(
  context: RequestContext,
  explanations: (readonly ShardExplanation[])[] | undefined,
): RequestContext {
  return explanations === undefined ? context : { ...context, explanations };
}

function writeContext(call: Call): ReturnType<Call['writeContext']> {
  checkOrdering(call.query);
  return call.writeContext(decodeTimeoutMs(call.query), decodeWait(call.query));
}

function updateRoute(
  method: Route['method'],
  path: string,
  decode: updates.DecodeUpdate,
  longBody?: LongBodyKind,
): Route {
  return {
    method,
    template: base + path,
    hasBody: true,
    ...(longBody === undefined ? {} : { longBody }),
    run: async (call) => {
      const context = writeContext(call);
      const [result] = await call.api.update(name(call), [call.update(decode)], context);
      return { kind: 'result', write: (reply) => writeUpdateResult(reply, result!) };
    },
  };
}

/** @param envelope - universal queries wrap the points of each answer, legacy searches do not */
function queryRoute(
  path: string,
  decode: (call: Call) => AddressedQuery,
  envelope: 'wrapped' | 'bare',
): Route {
  return {
    method: 'POST',
    template: base + path,
    hasBody: true,
    run: async (call) => {
      const explanations = decodeExplain(call.doc) ? [] : undefined;
      const context = withExplanations(readContext(call), explanations);
      const [points = []] = await call.api.query(name(call), [decode(call)], context);
      return {
        kind: 'result',
        explain: explanations?.map(explanationJson)[0],
        write: (reply) => {
          if (envelope === 'wrapped') reply.ascii('{"points":');
          writeScoredPoints(reply, points);
          if (envelope === 'wrapped') reply.ascii('}');
        },
      };
    },
  };
}

function queryBatchRoute(
  path: string,
  decode: (call: Call) => AddressedQuery[],
  envelope: 'wrapped' | 'bare',
): Route {
  return {
    method: 'POST',
    template: base + path,
    hasBody: true,
    run: async (call) => {
      const explanations = decodeExplain(call.doc) ? [] : undefined;
      const context = withExplanations(readContext(call), explanations);
      const requests = decode(call);
      const answers =
        requests.length === 0 ? await emptyBatch(call) : await call.api.query(name(call), requests, context);
      return {
        kind: 'result',
        explain: explanations?.map(explanationJson),
        write: (reply) => {
          reply.ascii('[');
          for (const [i, points] of answers.entries()) {
            if (i > 0) reply.ascii(',');
            if (envelope === 'wrapped') reply.ascii('{"points":');
            writeScoredPoints(reply, points);
            if (envelope === 'wrapped') reply.ascii('}');
          }
          reply.ascii(']');
        },
      };
    },
  };
}

/** No request to check the collection for: it must exist all the same. */
async function emptyBatch(call: Call): Promise<[]> {
  await call.api.collection(name(call), call.context(null));
  return [];
}

const all = { kind: 'all' } as const;

async function onePoint(call: Call): Promise<Answer> {
  const id = pointIdOfPath(call.parameter('id'));
  const context = readContext(call);
  const request = { ids: [id], withPayload: all, withVector: all };
  const [point] = await call.api.retrieve(name(call), request, context);
  if (point === undefined) throw new ClusterError('not_found', `Point with id ${id} does not exists!`);
  return { kind: 'result', write: (reply) => writeRecord(reply, point, null) };
}

async function updateBatch(call: Call): Promise<Answer> {
  const context = writeContext(call);
  const operations = updates.decodeUpdateBatch(call.doc, call.marks);
  const results =
    operations.length === 0 ? await emptyBatch(call) : await call.api.update(name(call), operations, context);
  return {
    kind: 'result',
    write: (reply) => {
      reply.ascii('[');
      for (const [i, result] of results.entries()) {
        if (i > 0) reply.ascii(',');
        writeUpdateResult(reply, result);
      }
      reply.ascii(']');
    },
  };
}

function readRoute(path: string, run: (call: Call) => Promise<Answer>): Route {
  return { method: 'POST', template: base + path, hasBody: true, run };
}

export const pointRoutes: readonly Route[] = [
  queryRoute('/points/query', (call) => decodeQuery(call.doc, call.marks), 'wrapped'),
  queryBatchRoute('/points/query/batch', (call) => decodeQueryBatch(call.doc, call.marks), 'wrapped'),
  queryRoute('/points/search', (call) => decodeSearch(call.doc, call.marks), 'bare'),
  queryBatchRoute('/points/search/batch', (call) => decodeSearchBatch(call.doc, call.marks), 'bare'),
  updateRoute('PUT', '/points', updates.decodeUpsert, 'upsert'),
  updateRoute('POST', '/points/delete', updates.decodeDelete),
  updateRoute('PUT', '/points/vectors', updates.decodeUpdateVectors, 'update_vectors'),
  updateRoute('POST', '/points/vectors/delete', updates.decodeDeleteVectors),
  updateRoute('POST', '/points/payload', updates.decodeSetPayload),
  updateRoute('PUT', '/points/payload', updates.decodeOverwritePayload),
  updateRoute('POST', '/points/payload/delete', updates.decodeDeletePayload),
  updateRoute('POST', '/points/payload/clear', updates.decodeClearPayload),
  { method: 'POST', template: `${base}/points/batch`, hasBody: true, run: updateBatch },
  { method: 'GET', template: `${base}/points/{id}`, hasBody: false, run: onePoint },
  readRoute('/points', async (call) => {
    const context = readContext(call);
    const points = await call.api.retrieve(name(call), decodeRetrieve(call.doc), context);
    return { kind: 'result', write: (reply) => writeRecords(reply, points) };
  }),
  readRoute('/points/scroll', async (call) => {
    const context = readContext(call);
    const page = await call.api.scroll(name(call), decodeScroll(call.doc), context);
    return { kind: 'result', write: (reply) => writeScrollPage(reply, page) };
  }),
  readRoute('/points/count', async (call) => {
    const context = readContext(call);
    const count = await call.api.count(name(call), decodeCount(call.doc), context);
    return { kind: 'result', write: (reply) => reply.ascii(`{"count":${count}}`) };
  }),
  readRoute('/facet', async (call) => {
    const context = readContext(call);
    const hits = await call.api.facet(name(call), decodeFacet(call.doc), context);
    return { kind: 'result', write: (reply) => writeFacetHits(reply, hits) };
  }),
];
