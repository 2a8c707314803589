import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { askAll, clusterRequests } from './cluster-requests.ts';

// The Qdrant server of shared/peers says what is right: first as a cluster of one, then standalone.
describe.each([
  ['a cluster of one', true],
  ['a process that is no cluster', false],
])('%s', (_, isCluster) => {
  let quiver: RunningServer;
  let qdrant: RunningServer | null;
  beforeAll(async () => {
    const port = await freePort();
    const uri = `http://127.0.0.1:${port}`;
    qdrant = await startQdrant(
      isCluster
        ? {
            env: { QDRANT__CLUSTER__ENABLED: 'true', QDRANT__CLUSTER__P2P__PORT: String(port) },
            flags: ['--uri', uri],
          }
        : {},
    );
    quiver = await startQuiver({ env: { QUIVER__CLUSTER__ENABLED: String(isCluster) } });
  });
  afterAll(async () => {
    await Promise.all([quiver.stop(), qdrant?.stop()]);
  });

  test('answers the requests of the cluster API as the Qdrant server does', async (context) => {
    if (qdrant === null) {
      context.skip('the Qdrant server is not there: shared/peers is absent');
      return;
    }
    const [ours, theirs] = await Promise.all([askAll(quiver.url), askAll(qdrant.url)]);
    const differences = ours
      .map(({ request, answer }, i) => ({ request, quiver: answer, qdrant: theirs[i]!.answer }))
      .filter((one) => one.quiver !== one.qdrant);
    expect(differences).toEqual([]);
    expect(ours.length).toBe(clusterRequests.length);
  });
});
