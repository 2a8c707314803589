/** Routes of collections, payload indexes and aliases. */
import { ClusterError, parseJsonPath, stringifyJson } from '@quiver/model';
import type { Answer, Call, Route } from './call.ts';
import {
  decodeAliasActions,
  decodeCreateCollection,
  decodeCreateIndex,
  decodeUpdateCollection,
} from './decode/collections.ts';
import { checkOrdering, decodeCount, decodeTimeoutMs, decodeWait } from './decode/query-string.ts';
import { collectionInfoJson, decodeOptimizationParts, optimizationsJson } from './encode-collection.ts';
import { collectionMemoryJson } from './encode-memory.ts';
import { writeUpdateResult } from './encode-points.ts';

const base = '/collections/{collection_name}';
const completedDefault = 16;

function name(call: Call): string {
  return call.parameter('collection_name');
}

function context(call: Call): ReturnType<Call['context']> {
  return call.context(decodeTimeoutMs(call.query, 'validated'));
}

function json(value: unknown): Answer {
  const text = stringifyJson(value);
  return { kind: 'result', write: (reply) => reply.json(text) };
}

function aliasesJson(call: Call, collection: string | null): Answer {
  const aliases = call.api
    .listAliases(collection, call.context(null))
    .map(({ alias, collection: target }) => ({ alias_name: alias, collection_name: target }));
  return json({ aliases });
}

export const collectionRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/collections',
    hasBody: false,
    run: (call) =>
      json({ collections: call.api.listCollections(call.context(null)).map((item) => ({ name: item })) }),
  },
  {
    method: 'GET',
    template: base,
    hasBody: false,
    run: async (call) =>
      json(collectionInfoJson(await call.api.collectionInfo(name(call), call.context(null)))),
  },
  {
    method: 'PUT',
    template: base,
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) =>
      json(await call.api.createCollection(name(call), decodeCreateCollection(call.doc), context(call))),
  },
  {
    method: 'PATCH',
    template: base,
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) =>
      json(await call.api.updateCollection(name(call), decodeUpdateCollection(call.doc), context(call))),
  },
  {
    method: 'DELETE',
    template: base,
    hasBody: false,
    run: async (call) => json(await call.api.deleteCollection(name(call), context(call))),
  },
  {
    method: 'GET',
    template: `${base}/exists`,
    hasBody: false,
    run: async (call) => json({ exists: await call.api.collectionExists(name(call), call.context(null)) }),
  },
  {
    method: 'GET',
    template: `${base}/memory`,
    hasBody: false,
    run: async (call) => {
      const { state } = await call.api.collectionInfo(name(call), call.context(null));
      return json(collectionMemoryJson(state.memory));
    },
  },
  {
    method: 'GET',
    template: `${base}/optimizations`,
    hasBody: false,
    run: async (call) => {
      const chosen = decodeOptimizationParts(call.query.get('with'));
      const limit = decodeCount(call.query, 'completed_limit') ?? completedDefault;
      const { state } = await call.api.collectionInfo(name(call), call.context(null));
      return json(optimizationsJson(state, chosen, limit));
    },
  },
  {
    method: 'PUT',
    template: `${base}/index`,
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) => {
      const { field, schema } = decodeCreateIndex(call.doc);
      const result = await call.api.createPayloadIndex(name(call), field, schema, indexContext(call));
      return { kind: 'result', write: (reply) => writeUpdateResult(reply, result) };
    },
  },
  {
    method: 'DELETE',
    template: `${base}/index/{field_name}`,
    hasBody: false,
    run: async (call) => {
      const field = call.parameter('field_name');
      if (parseJsonPath(field) === null)
        throw new ClusterError(
          'malformed',
          `Deserialize error in path parameters: Invalid json path: '${field}'`,
        );
      const result = await call.api.deletePayloadIndex(name(call), field, indexContext(call));
      return { kind: 'result', write: (reply) => writeUpdateResult(reply, result) };
    },
  },
  {
    method: 'POST',
    template: '/collections/aliases',
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) => json(await call.api.changeAliases(decodeAliasActions(call.doc), context(call))),
  },
  { method: 'GET', template: '/aliases', hasBody: false, run: (call) => aliasesJson(call, null) },
  {
    method: 'GET',
    template: `${base}/aliases`,
    hasBody: false,
    run: (call) => aliasesJson(call, name(call)),
  },
];

function indexContext(call: Call): ReturnType<Call['writeContext']> {
  checkOrdering(call.query);
  return call.writeContext(decodeTimeoutMs(call.query), decodeWait(call.query));
}
