/** Entry of a build thread: seals, merges and indexes segments by the control thread's orders, at lower priority. */
import { adoptPort, collectGarbage, createRealEnv, currentThread, lowerThreadPriority } from '@quiver/env';
import { ArenaDirectory } from '@quiver/kernel';
import { createBuilder } from '@quiver/shard/build';
import { openBlobFiles } from '@quiver/storage';
import type { BuildThreadData } from './messages.ts';

const { data } = currentThread<BuildThreadData>();
lowerThreadPriority();
createBuilder({
  directory: new ArenaDirectory(data.thread, openBlobFiles(data.filesDir)),
  port: adoptPort(data.port),
  env: createRealEnv(),
});
collectGarbage();
