// The lists of refused and malformed requests against the whole server, and its life afterwards.
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as malformed from '../contract/malformed.ts';
import * as errors from '../contract/rest-errors.ts';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { send } from './rest-client.ts';

let server: RunningServer;
beforeAll(async () => {
  server = await startQuiver();
});
afterAll(async () => {
  await server.stop();
});

test('what the Qdrant server refuses is refused with its status and text', async () => {
  await errors.setUp(server.url);
  const { sent, differences } = await errors.checkRestErrors(server.url);
  expect(differences).toEqual([]);
  expect(sent).toBeGreaterThan(200);
});

test('every malformed request is answered 4xx in the shape of an error, and the server lives on', async () => {
  await malformed.setUp(server.url);
  const { sent, complaints } = await malformed.checkMalformed(server.url);
  expect(complaints).toEqual([]);
  expect(sent).toBeGreaterThan(300);
  expect((await send(server.url, 'GET', '/readyz')).status).toBe(200);
});
