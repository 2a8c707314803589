/** Entry of a thread that helps whenever a graph under construction is shared, until it is told to stop. For tests and benches. */
import { createSimdKernel } from '@quiver/kernel';
import { parentPort, workerData } from 'node:worker_threads';
import { helpHnsw } from '../hnsw/help.ts';
import { isShared } from '../hnsw/shared-stage.ts';
import { helpWords, type HelpStart } from './help-protocol.ts';

const { arena, thread, region, params, control } = workerData as HelpStart;
const words = new Int32Array(control);
const kernel = createSimdKernel(arena, thread);
parentPort!.postMessage('ready');
while (Atomics.load(words, helpWords.stop) === 0) {
  if (isShared(arena.memory.buffer, region)) {
    const help = helpHnsw(kernel, region, params);
    do Atomics.add(words, helpWords.turns, 1);
    while (help.next().done !== true);
  }
  Atomics.wait(words, helpWords.stop, 0, 1);
}
