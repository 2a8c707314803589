/** The methods of proto/internal/peer.proto by their paths. */
const path = (service: string, method: string): string => `/quiver.internal.${service}/${method}`;

export const peerPaths = {
  meta: {
    messages: path('Meta', 'Messages'),
    propose: path('Meta', 'Propose'),
    watch: path('Meta', 'Watch'),
    join: path('Meta', 'Join'),
    heartbeat: path('Meta', 'Heartbeat'),
    read: path('Meta', 'Read'),
    status: path('Meta', 'Status'),
  },
  shard: {
    replicate: path('Shard', 'Replicate'),
    query: path('Shard', 'Query'),
    explain: path('Shard', 'Explain'),
    scroll: path('Shard', 'Scroll'),
    retrieve: path('Shard', 'Retrieve'),
    count: path('Shard', 'Count'),
    facet: path('Shard', 'Facet'),
    write: path('Shard', 'Write'),
    describe: path('Shard', 'Describe'),
  },
} as const;
