import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRestServer, type RestServer } from '../../packages/router/src/rest/testing/rest-server.ts';
import * as malformed from './malformed.ts';
import * as errors from './rest-errors.ts';

// The front end over shards of memory; test/system runs the same lists against the whole server.
let server: RestServer;
beforeAll(async () => {
  server = await startRestServer();
});
afterAll(() => server.close());

test('what the Qdrant server refuses is refused with its status and text', async () => {
  await errors.setUp(server.url);
  const { sent, differences } = await errors.checkRestErrors(server.url);
  expect(differences).toEqual([]);
  expect(sent).toBeGreaterThan(200);
});

test('every malformed request is answered 4xx in the shape of an error', async () => {
  await malformed.setUp(server.url);
  const { sent, complaints } = await malformed.checkMalformed(server.url);
  expect(complaints).toEqual([]);
  expect(sent).toBeGreaterThan(300);
});
