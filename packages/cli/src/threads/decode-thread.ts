/** Entry of the decode thread: long bodies of uploads for all serve threads, behind searches where a core is short. */
import { adoptPort, collectWhenQuiet, createRealEnv, currentThread, lowerThreadPriority } from '@quiver/env';
import { createBodyDecoder } from '@quiver/router/body-decoder';
import type { DecodeThreadData } from './messages.ts';
import { decodeNiceness } from './priorities.ts';

const { data } = currentThread<DecodeThreadData>();
lowerThreadPriority(decodeNiceness);
const env = createRealEnv();
const serve = createBodyDecoder(env);
for (const port of data.ports) serve(adoptPort(port));
collectWhenQuiet(env);
