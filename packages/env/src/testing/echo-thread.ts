/** Entry of the thread that threads.test.ts starts: doubles numbers, tells the time, throws on 'die', answers through a given port. */
import { adoptPort, createRealEnv, currentThread, lowerThreadPriority, type MessagePort } from '../index.ts';

const self = currentThread<{ offset: number }, number | string | { port: MessagePort }>();
const env = createRealEnv();
self.parent?.onMessage((message) => {
  if (typeof message === 'number') self.parent?.post(message * 2 + self.data.offset);
  else if (message === 'die') throw new Error('asked to die');
  else if (message === 'priority') self.parent?.post(lowerThreadPriority(7));
  else if (message === 'now') self.parent?.post(env.now());
  else if (message === 'leave') self.parent?.close();
  else if (typeof message === 'object') adoptPort(message.port).post({ from: self.threadId });
});
