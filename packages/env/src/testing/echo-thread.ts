/** Entry of the thread that threads.test.ts starts: doubles numbers, throws on 'die', answers through a given port. */
import { currentThread, lowerThreadPriority, type MessagePort, adoptPort } from '../index.ts';

const self = currentThread<{ offset: number }, number | string | { port: MessagePort }>();
self.parent?.onMessage((message) => {
  if (typeof message === 'number') self.parent?.post(message * 2 + self.data.offset);
  else if (message === 'die') throw new Error('asked to die');
  else if (message === 'priority') self.parent?.post(lowerThreadPriority(7));
  else if (message === 'leave') self.parent?.close();
  else if (typeof message === 'object') adoptPort(message.port).post({ from: self.threadId });
});
