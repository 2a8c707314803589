/** What serve threads of any role are given of the configuration. */
import { collectionDefaults } from '../config/index.ts';
import type { Listening } from '../threads/messages.ts';
import type { ServeOptions } from '../threads/start-serve.ts';
import type { RoleProcess } from './process.ts';

export function serveData(
  { config, logSettings, secret, callMsMax }: RoleProcess,
  listening: Listening,
): ServeOptions['data'] {
  const { service, cluster } = config;
  return {
    listening,
    access: {
      apiKey: service.api_key,
      altApiKey: service.alt_api_key,
      readOnlyApiKey: service.read_only_api_key,
      bodyBytesMax: service.max_request_size_mb * 1024 * 1024,
      corsEnabled: service.enable_cors,
    },
    defaults: collectionDefaults(config),
    metricsPrefix: service.metrics_prefix ?? '',
    log: logSettings,
    clusterSecret: secret,
    callMsMax,
    // Roles apart are always of a cluster.
    clusterEnabled: cluster.enabled || cluster.meta !== '',
    reshardingEnabled: cluster.resharding_enabled,
  };
}
