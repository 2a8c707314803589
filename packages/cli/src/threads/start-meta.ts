/** Starts the meta thread, and gives the control thread the metadata store as if it ran here. */
import { openChannel, startThread, type Env } from '@quiver/env';
import { createMetaMirror, type Meta, type MirrorMessage } from '@quiver/meta';
import type { Log } from '@quiver/telemetry';
import type { FromMetaThread, LogSettings, MetaThreadData, ToMetaThread } from './messages.ts';

export interface MetaThreadOptions {
  readonly member: MetaThreadData['member'];
  readonly logSettings: LogSettings;
  readonly env: Env;
  readonly log: Log;
  readonly onPoison: (error: Error) => void;
  readonly onThreadDeath: (name: string, error: Error | undefined) => void;
}

/** Resolves when the volume is open; founding or joining goes on behind (`ready`). */
export async function startMetaThread(options: MetaThreadOptions): Promise<Meta> {
  const { env, log, logSettings } = options;
  const [near, far] = openChannel<MirrorMessage, MirrorMessage>();
  const data: MetaThreadData = { member: options.member, log: logSettings, port: far.raw };
  const thread = startThread<FromMetaThread, ToMetaThread>(
    new URL('./meta-thread.ts', import.meta.url),
    data,
    {
      name: 'meta',
      transfer: [far.raw],
    },
  );
  const stopped = Promise.withResolvers<undefined>();
  await new Promise<void>((resolve, reject) => {
    thread.onMessage((message) => {
      switch (message.kind) {
        case 'started':
          resolve();
          break;
        case 'poisoned':
          options.onPoison(new Error(message.message));
          break;
        case 'stopped':
          stopped.resolve(undefined);
          break;
      }
    });
    thread.onExit(({ error }) => {
      reject(error ?? new Error('the meta thread ended'));
      stopped.resolve(undefined);
      options.onThreadDeath('meta', error);
    });
  });
  const mirror = createMetaMirror({ port: near, env, log });
  return {
    ...mirror,
    get clusterId() {
      return mirror.clusterId;
    },
    async close() {
      await mirror.close();
      thread.post({ kind: 'stop' });
      await stopped.promise;
    },
  };
}
