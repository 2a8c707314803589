/** What a helping thread of a test or bench is started with. */
import type { Arena, Region } from '@quiver/kernel';
import type { HnswParams } from '../hnsw/build.ts';

/** Words of `control`: the thread is to stop; turns of help it gave. */
export const helpWords = { stop: 0, turns: 1 } as const;

export interface HelpStart {
  readonly arena: Arena;
  readonly thread: number;
  readonly region: Region;
  readonly params: HnswParams;
  readonly control: SharedArrayBuffer;
}
