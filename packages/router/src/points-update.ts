/**
 * Use cases that change points: each update is checked against the collection, its filter turned into ids, and written.
 * Always: an answer comes after the change is durable and visible, also with `wait: false`; updates of one request
 * run in order, and the first failure ends them, keeping those before it (as in Qdrant).
 */
import {
  ClusterError,
  type CollectionRecord,
  type PointTarget,
  type ResolvedTarget,
  type WriteOperation,
} from '@quiver/model';
import type { CallOptions } from '@quiver/rpc';
import type { Api, PointsUpdate, UpdateResult } from './api.ts';
import { requireFullAccess } from './access.ts';
import type { ApiOptions } from './create-api.ts';
import { collectionOf } from './resolve-name.ts';
import { checkFilter, checkLimit } from './strict-mode.ts';
import { checkedBatch, checkVectorNames } from './vector-check.ts';

export function pointUpdateUseCases(options: ApiOptions): Pick<Api, 'update'> {
  const { meta, reads, writes } = options;

  async function resolve(
    record: CollectionRecord,
    target: PointTarget,
    call: CallOptions,
  ): Promise<ResolvedTarget> {
    if (target.kind === 'ids') {
      if (target.ids.length === 0) throw emptyUpdate();
      return { ids: target.ids, filter: null, asOf: 0 };
    }
    checkFilter(record, target.filter, 'update');
    const { ids, asOf } = await reads.resolve(record, target.filter, call);
    return { ids, filter: target.filter, asOf };
  }

  async function operationOf(
    record: CollectionRecord,
    update: PointsUpdate,
    call: CallOptions,
  ): Promise<WriteOperation> {
    switch (update.kind) {
      case 'upsert': {
        if (update.points.ids.length === 0) throw emptyUpdate();
        checkLimit(record, 'upsert_max_batchsize', 'upsert limit', update.points.ids.length);
        checkFilter(record, update.updateFilter, 'update');
        return { ...update, points: checkedBatch(record, update.points, 'named') };
      }
      case 'update_vectors': {
        if (update.points.ids.length === 0) throw emptyUpdate();
        checkLimit(record, 'upsert_max_batchsize', 'update limit', update.points.ids.length);
        checkFilter(record, update.updateFilter, 'update');
        return { ...update, points: checkedBatch(record, update.points, 'unnamed') };
      }
      case 'delete_vectors':
        checkVectorNames(record, update.names);
        return { ...update, target: await resolve(record, update.target, call) };
      case 'overwrite_payload': {
        // Qdrant 1.19 replaces the whole payload whether or not `key` is given.
        const { payload, kind } = update;
        return { kind, payload, target: await resolve(record, update.target, call) };
      }
      case 'set_payload':
        return { ...update, target: await resolve(record, update.target, call) };
      case 'delete_payload':
        return { ...update, target: await resolve(record, update.target, call) };
      case 'clear_payload':
        return { ...update, target: await resolve(record, update.target, call) };
      case 'delete':
        return { ...update, target: await resolve(record, update.target, call) };
    }
  }

  return {
    async update(name, updates, context) {
      const record = collectionOf(meta.catalogue(), name);
      requireFullAccess(context);
      const call = { deadlineMs: context.deadlineMs };
      const results: UpdateResult[] = [];
      for (const update of updates) {
        const operation = await operationOf(record, update, call);
        const { operationId } = await writes.write(record, operation, call);
        results.push({ operationId, status: context.wait ? 'completed' : 'acknowledged' });
      }
      return results;
    },
  };
}

function emptyUpdate(): ClusterError {
  return new ClusterError('bad_request', 'Empty update request');
}
