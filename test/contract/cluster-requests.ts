/**
 * Requests on the cluster's API, in order: the answers of two servers are compared after what differs from one cluster to
 * the next (ids, addresses, counters of the consensus, times) has been replaced by its name.
 */
const body = '"vectors":{"size":2,"distance":"Dot"}';

export type Sent = readonly [method: string, path: string, body?: string];

const operations = (collection: string, list: readonly string[]): Sent[] =>
  list.map((text) => ['POST', `/collections/${collection}/cluster`, text]);

/** Answered alike by a cluster of one. Before: the collections `auto` and `keys` (custom) do not exist. */
export const clusterRequests: readonly Sent[] = [
  ['GET', '/cluster'],
  ['GET', '/cluster/telemetry?details_level=1'],
  ['POST', '/cluster/recover'],
  ['DELETE', '/cluster/peer/123'],
  ['DELETE', '/cluster/peer/123?force=true'],
  ['DELETE', '/cluster/peer/abc'],
  ['GET', '/cluster/metadata/keys'],
  ['PUT', '/cluster/metadata/keys/a?wait=true', '{"x":1}'],
  ['GET', '/cluster/metadata/keys'],
  ['GET', '/cluster/metadata/keys/a'],
  ['GET', '/cluster/metadata/keys/b'],
  ['DELETE', '/cluster/metadata/keys/a?wait=true'],
  ['DELETE', '/cluster/metadata/keys/zz?wait=true'],
  ['GET', '/cluster/metadata/keys/a'],
  ['PUT', '/collections/auto', `{${body}}`],
  ['GET', '/collections/auto/cluster'],
  ['GET', '/collections/none/cluster'],
  ['GET', '/collections/auto/shards'],
  ['GET', '/collections/none/shards'],
  ['PUT', '/collections/auto/shards', '{"shard_key":"k"}'],
  ['POST', '/collections/auto/shards/delete', '{"shard_key":"k"}'],
  ...operations('auto', [
    '{"move_shard":{"shard_id":0,"from_peer_id":1,"to_peer_id":2}}',
    '{"move_shard":{"shard_id":0,"from_peer_id":1}}',
    '{"replicate_shard":{"shard_id":7,"from_peer_id":1,"to_peer_id":2}}',
    '{"replicate_shard":{"shard_id":0,"from_peer_id":1,"to_peer_id":2,"method":"by_post"}}',
    '{"abort_transfer":{"shard_id":0,"from_peer_id":1,"to_peer_id":2}}',
    '{"restart_transfer":{"shard_id":0,"from_peer_id":1,"to_peer_id":2,"method":"snapshot"}}',
    '{"drop_replica":{"shard_id":0,"peer_id":2}}',
    '{"drop_replica":{"shard_id":9,"peer_id":2}}',
    '{"start_resharding":{"direction":"sideways"}}',
    '{"commit_read_hash_ring":{}}',
    '{"commit_write_hash_ring":{}}',
    '{"finish_resharding":{}}',
    '{"abort_resharding":{}}',
    '{"create_sharding_key":{"shard_key":"x"}}',
    '{"drop_sharding_key":{"shard_key":"x"}}',
    '{"replicate_points":{"from_shard_key":"a","to_shard_key":"b"}}',
    '{}',
    '{"foo":1}',
    '[]',
  ]),
  ['POST', '/collections/none/cluster', '{"finish_resharding":{}}'],
  ['PUT', '/collections/keys', `{${body},"sharding_method":"custom"}`],
  ['GET', '/collections/keys/shards'],
  ['GET', '/collections/keys/cluster'],
  ['POST', '/collections/keys/points/count', '{}'],
  ['POST', '/collections/keys/points/scroll', '{}'],
  ['PUT', '/collections/keys/points?wait=true', '{"points":[{"id":1,"vector":[1,0]}]}'],
  ['PUT', '/collections/keys/shards', '{"shard_key":"k"}'],
  ['PUT', '/collections/keys/shards', '{"shard_key":"k"}'],
  ['PUT', '/collections/keys/shards', '{"shard_key":5,"shards_number":2}'],
  ['PUT', '/collections/keys/shards', '{"shard_key":-5}'],
  ['PUT', '/collections/keys/shards', '{"shard_key":"z","shards_number":0}'],
  ['PUT', '/collections/keys/shards', '{"shard_key":"z","placement":[77]}'],
  ['PUT', '/collections/keys/shards', '{}'],
  ['GET', '/collections/keys/shards'],
  ['GET', '/collections/keys/cluster'],
  ['PUT', '/collections/keys/points?wait=true', '{"points":[{"id":1,"vector":[1,0]}],"shard_key":"nokey"}'],
  ['PUT', '/collections/keys/points?wait=true', '{"points":[{"id":1,"vector":[1,0]}],"shard_key":"k"}'],
  [
    'PUT',
    '/collections/keys/points?wait=true',
    '{"points":[{"id":2,"vector":[1,0.5]},{"id":3,"vector":[0,1]}],"shard_key":[5,"k"]}',
  ],
  ...[
    '{"target":"t","fallback":"k"}',
    '{"target":"t","fallback":"u"}',
    '{"target":5,"fallback":"k"}',
    '[]',
  ].map((key): Sent => [
    'PUT',
    '/collections/keys/points?wait=true',
    `{"points":[{"id":9,"vector":[0.25,0]}],"shard_key":${key}}`,
  ]),
  ...['1.5', '{"target":"k"}', '-1', 'true'].map((key): Sent => [
    'POST',
    '/collections/keys/points/count',
    `{"shard_key":${key}}`,
  ]),
  ...['"k"', '[5,"k"]', '"nokey"', '["k","nokey"]', '{"target":"t","fallback":"k"}', '[]'].flatMap(
    (key): Sent[] => [
      ['POST', '/collections/keys/points/count', `{"shard_key":${key}}`],
      ['POST', '/collections/auto/points/count', `{"shard_key":${key}}`],
    ],
  ),
  ['POST', '/collections/keys/points/query', '{"query":[1,0.1],"shard_key":"k"}'],
  ['POST', '/collections/keys/points/query', '{"query":2,"shard_key":5}'],
  ['POST', '/collections/keys/points/query', '{"query":1,"shard_key":5}'],
  ['POST', '/collections/keys/points/scroll', '{"shard_key":5,"with_payload":false}'],
  ['POST', '/collections/keys/points', '{"ids":[1,2],"shard_key":"k"}'],
  ['GET', '/collections/keys/points/1'],
  ['POST', '/collections/keys/points/delete?wait=true', '{"points":[2]}'],
  ['POST', '/collections/keys/points/delete?wait=true', '{"points":[2],"shard_key":"nokey"}'],
  ['POST', '/collections/keys/points/delete?wait=true', '{"points":[2],"shard_key":"k"}'],
  ['POST', '/collections/keys/points/payload?wait=true', '{"points":[1],"payload":{"a":1}}'],
  ['POST', '/collections/keys/points/payload?wait=true', '{"points":[1],"payload":{"a":1},"shard_key":"k"}'],
  ['POST', '/collections/keys/points/scroll', '{"shard_key":"k"}'],
  ['POST', '/collections/keys/points/count', '{"shard_key":5}'],
  ...operations('keys', [
    '{"create_sharding_key":{"shard_key":"x"}}',
    '{"drop_sharding_key":{"shard_key":"x"}}',
    '{"drop_sharding_key":{"shard_key":"x"}}',
    '{"replicate_points":{"from_shard_key":"k","to_shard_key":"b"}}',
    '{"replicate_points":{"from_shard_key":"k","to_shard_key":5}}',
  ]),
  ['POST', '/collections/keys/shards/delete', '{"shard_key":5}'],
  ['POST', '/collections/keys/shards/delete', '{"shard_key":5}'],
  ['GET', '/collections/keys/shards'],
  ['GET', '/collections/keys/cluster'],
  ['DELETE', '/collections/keys'],
  ['DELETE', '/collections/auto'],
];

export interface Answered {
  readonly request: string;
  readonly answer: string;
}

/** One line for each request. */
export async function askAll(url: string, requests: readonly Sent[] = clusterRequests): Promise<Answered[]> {
  const answers: Answered[] = [];
  const first = { shard: 0 };
  for (const [method, path, text] of requests) {
    const reply = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = `${reply.status} ${masked(await reply.text(), first)}`;
    answers.push({ request: `${method} ${path} ${text ?? ''}`, answer });
  }
  return answers;
}

function masked(text: string, first: { shard: number }): string {
  // Qdrant numbers the shards of keys from 1, Quiver from 0.
  const shards = [...text.matchAll(/"shard_id":(\d+)/g)].map(([, id]) => Number(id));
  if (shards.length > 0) first.shard = Math.min(...shards);
  return (
    text
      .replaceAll(/\b\d{10,16}\b/g, 'PEER')
      .replaceAll(/"shard_id":(\d+)/g, (_, id: string) => `"shard_id":${Number(id) - first.shard}`)
      .replaceAll(/"uri":"[^"]*"/g, '"uri":"URI"')
      // Qdrant keeps them in a hash set: their order changes from run to run.
      .replaceAll(
        /"shard_keys":\[([^\]]*)\]/g,
        (_, keys: string) => `"shard_keys":[${keys.split(',').sort().join()}]`,
      )
      .replaceAll(/"(term|commit)":\d+/g, '"$1":N')
      .replaceAll(/"last_update":"[^"]*"/g, '"last_update":"TIME"')
      .replaceAll(/"(operation_id|version)":\d+/g, '"$1":N')
      .replaceAll(/,"time":[\d.e-]+/g, '')
      .replaceAll(/ at line \d+ column \d+/g, '')
      .replaceAll(/(\d)\.0(?=[,}\]])/g, '$1')
  );
}
