/**
 * What /telemetry and /metrics answer: a serve thread asks the control thread for the process's figures and adds the
 * collections, which it can read itself.
 */
import type { Env } from '@quiver/env';
import type { Api, RequestContext } from '@quiver/router';
import { metricsText, reportRequests, type CollectionSample, type StorageSample } from '@quiver/telemetry';
import { apiVersion, version } from '../version.ts';
import type { ProcessReport } from './messages.ts';

const reportMs = 10_000;

export interface Reports {
  telemetry(query: { detailsLevel: number; anonymize: boolean }): Promise<unknown>;
  metrics(): Promise<string>;
}

export function createReports(options: {
  readonly api: Api;
  readonly env: Env;
  readonly askReport: () => Promise<ProcessReport>;
  readonly metricsPrefix: string;
  readonly clusterEnabled: boolean;
}): Reports {
  const { api, env, askReport } = options;

  async function collectionSamples(): Promise<CollectionSample[]> {
    const context: RequestContext = { access: 'full', deadlineMs: env.now() + reportMs };
    const samples: CollectionSample[] = [];
    for (const name of api.listCollections(context)) {
      try {
        const { state, deadReplicas } = await api.collectionInfo(name, context);
        samples.push({
          name,
          points: state.pointsCount,
          vectors: state.vectorCounts,
          runningOptimizations: state.running.length,
          updateQueueLength: state.updateQueueLength,
          deadReplicas,
          liveRecall: state.liveRecall.map(({ vector, queries, found, wanted }) => ({
            vector,
            recall: found / wanted,
            queries,
          })),
        });
      } catch {
        // Dropped while we looked: it has no figures any more.
      }
    }
    return samples;
  }

  return {
    async telemetry({ detailsLevel }) {
      const report = await askReport();
      const collections = await collectionSamples();
      return {
        id: report.clusterId,
        app: {
          name: 'quiver',
          version: apiVersion,
          quiver_version: version,
          features: {
            debug: false,
            service_debug_feature: false,
            recovery_mode: false,
            gpu: false,
            rocksdb: false,
            staging: false,
          },
          jwt_rbac: false,
          hide_jwt_dashboard: true,
          startup: new Date(report.startedAtMs).toISOString(),
        },
        collections: {
          number_of_collections: collections.length,
          ...(detailsLevel >= 1
            ? { collections: collections.map(({ name, points }) => ({ id: name, points_count: points })) }
            : {}),
        },
        cluster: { enabled: options.clusterEnabled },
        requests: reportRequests(report.requests),
        memory: {
          resident_bytes: report.residentBytes,
          active_bytes: report.allocatedBytes,
          ...(report.storage === null ? {} : { segments: memoryJson(report.storage.memory) }),
        },
      };
    },
    async metrics() {
      const report = await askReport();
      const sample = {
        version: apiVersion,
        clusterEnabled: options.clusterEnabled,
        collections: await collectionSamples(),
        requests: report.requests,
        storage: report.storage,
        process: { residentBytes: report.residentBytes, allocatedBytes: report.allocatedBytes },
      };
      return metricsText(sample, options.metricsPrefix);
    },
  };
}

function memoryJson({ budgetBytes, usedBytes, reusableBytes, components }: StorageSample['memory']): object {
  return { budget_bytes: budgetBytes, used_bytes: usedBytes, reusable_bytes: reusableBytes, components };
}
