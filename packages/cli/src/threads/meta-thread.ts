/** Entry of the meta thread of role `all`: consensus has an event loop of its own, elections never wait behind data. */
import { adoptPort, collectWhenQuiet, createRealEnv, currentThread } from '@quiver/env';
import { serveMirror } from '@quiver/meta';
import { createLog } from '@quiver/telemetry';
import { startMetaMember } from '../meta-member.ts';
import type { FromMetaThread, MetaThreadData, ToMetaThread } from './messages.ts';

const { data, parent } = currentThread<MetaThreadData, ToMetaThread, FromMetaThread>();
if (parent === undefined) throw new Error('the meta thread is started by the control thread');
const env = createRealEnv();
const member = await startMetaMember({
  ...data.member,
  env,
  log: createLog({ ...data.log, fields: { thread: 'meta' } }),
  onPoison: (error) => parent.post({ kind: 'poisoned', message: error.message }),
});
serveMirror(member.meta, adoptPort(data.port), env);
parent.onMessage(() => {
  void member.stop().then(() => parent.post({ kind: 'stopped' }));
});
parent.post({ kind: 'started' });
/** The start of a process goes on elsewhere, and somebody waits for it. */
const collectAfterMs = 5_000;
member.meta.ready.then(
  () => env.after(collectAfterMs, () => collectWhenQuiet(env)),
  () => undefined,
);
