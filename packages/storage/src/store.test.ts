import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { afterAll } from 'vitest';
import { openLevelStore } from './level-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { storeContract } from './store.contract.ts';
import { createFaultyDisk } from './testing/faulty-engine.ts';
import { createFaultyStore } from './testing/faulty-store.ts';

const env = createRealEnv();
const root = mkdtempSync(join(tmpdir(), 'quiver-store-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

storeContract('level', async () => {
  const dir = join(root, String(count++));
  const open = () => openLevelStore(dir, {}, env);
  return { store: await open(), reopen: open };
});

storeContract('memory', async () => ({ store: await createMemoryStore(env), reopen: undefined }));

storeContract('faulty', async () => {
  const disk = createFaultyDisk();
  const open = () => createFaultyStore(disk, {}, env);
  return { store: await open(), reopen: open };
});
