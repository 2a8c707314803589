/**
 * Drives a workload of registers against servers that run, and checks its history.
 *
 *   node test/nemesis/run.ts --url http://127.0.0.1:6333 [--url ...] [--seconds 10] [--clients 8] [--points 6]
 *                            [--replication-factor 1] [--shards 1] [--seed N]
 *
 * Exit code 0: linearizable and no torn point. The seed fixes the choices of the clients, not the timing.
 */
import { parseArgs } from 'node:util';
import { QdrantClient } from '@qdrant/js-client-rest';
import { createRng } from '@quiver/kernel';
import { checkHistory } from '../lincheck/check.ts';
import { pointRegister } from '../lincheck/models/point-register.ts';
import { createRegisterCollection, startClients } from './history.ts';

const { values } = parseArgs({
  options: {
    url: { type: 'string', multiple: true, default: ['http://127.0.0.1:6333'] },
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '8' },
    points: { type: 'string', default: '6' },
    'replication-factor': { type: 'string', default: '1' },
    shards: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() >>> 0) },
  },
});

const rng = createRng(Number(values.seed));
const collection = `registers-${process.pid}`;
const url = values.url[0]!;
await createRegisterCollection(url, collection, {
  shard_number: Number(values.shards),
  replication_factor: Number(values['replication-factor']),
});
const clients = startClients({
  urls: values.url,
  collection,
  clientCount: Number(values.clients),
  pointCount: Number(values.points),
  operationsPerPointMax: 300,
  timeoutMs: 5_000,
  random: () => rng.float(),
});
await new Promise<void>((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
const { history, counts, torn } = await clients.stop();
await new QdrantClient({ url, checkCompatibility: false }).deleteCollection(collection);
const report = checkHistory(pointRegister, history);
console.log(`${report.text}\n${JSON.stringify(counts)}, torn points: ${torn.length}, seed ${values.seed}`);
for (const line of torn.slice(0, 10)) console.log(line);
process.exitCode = report.verdict === 'valid' && torn.length === 0 ? 0 : 1;
