/**
 * Use cases that change points: each update is checked against the collection and written.
 * Always: an answer comes after the change is durable and visible, also with `wait: false`; updates of one request
 * run in order, and the first failure ends them, keeping those before it (as in Qdrant).
 */
import {
  ClusterError,
  isLongOperation,
  type CollectionRecord,
  type PointTarget,
  type PointsOperation,
} from '@quiver/model';
import type { Api, PointsChange, UpdateResult } from './api.ts';
import { requireFullAccess } from './access.ts';
import type { UseCaseOptions } from './create-api.ts';
import { writeGroups } from './shard-keys.ts';
import { checkFilter, checkLimit } from './strict-mode.ts';
import { checkedBatch, checkVectorNames } from './vector-check.ts';

export function pointUpdateUseCases(options: UseCaseOptions): Pick<Api, 'update'> {
  const { collections, writes, env } = options;

  function checkedTarget(record: CollectionRecord, target: PointTarget): PointTarget {
    if (target.kind === 'filter') checkFilter(record, target.filter, 'update');
    else if (target.ids.length === 0) throw emptyUpdate();
    return target;
  }

  function operationOf(record: CollectionRecord, update: PointsChange): PointsOperation {
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
        return { ...update, target: checkedTarget(record, update.target) };
      case 'overwrite_payload': {
        // Qdrant 1.19 replaces the whole payload whether or not `key` is given.
        const { payload, kind } = update;
        return { kind, payload, target: checkedTarget(record, update.target) };
      }
      case 'set_payload':
        return { ...update, target: checkedTarget(record, update.target) };
      case 'delete_payload':
        return { ...update, target: checkedTarget(record, update.target) };
      case 'clear_payload':
        return { ...update, target: checkedTarget(record, update.target) };
      case 'delete':
        return { ...update, target: checkedTarget(record, update.target) };
    }
  }

  return {
    async update(name, updates, context) {
      const record = await collections.find(name, context);
      requireFullAccess(context);
      const call = { deadlineMs: context.deadlineMs };
      const results: UpdateResult[] = [];
      for (const { shardKeys, ...update } of updates) {
        // Decoding it was a task, checking it is the next.
        if (isLongOperation(update)) await new Promise<void>((resolve) => env.soon(resolve));
        const operation = operationOf(record, update);
        const groups = writeGroups(record, shardKeys);
        const { operationId } = await writes.write(record, groups, operation, call);
        results.push({ operationId, status: context.wait ? 'completed' : 'acknowledged' });
      }
      return results;
    },
  };
}

function emptyUpdate(): ClusterError {
  return new ClusterError('bad_request', 'Empty update request');
}
