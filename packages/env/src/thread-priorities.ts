/**
 * Who gets a core when there are too few, by thread: how much of it (niceness), and how soon after it has work (slice). Threads of the
 * process that run no JavaScript are among them: V8's helpers and libuv's pool.
 * Always: priority is only given up, which needs no right; where the system has neither for a thread, nothing happens.
 * @see Linux, Documentation/scheduler/sched-eevdf.rst: of those that have had less than their share the one with the earliest virtual
 * deadline runs, and one with a shorter slice than the running one's does so at once
 */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

export interface ThreadPriority {
  /** 0 (normal) to 19 (least); the process's own where that is more. Absent: as it is. */
  readonly niceness?: number;
  /** Microseconds, 100 to 100,000. Linux 6.12; where nothing is set, 700 to 3,000 by the number of cores. Absent: as it is. */
  readonly sliceUs?: number;
}

export interface SystemThread {
  readonly id: number;
  /** At most 15 bytes of what it was started with; "V8Worker", "libuv-worker". */
  readonly name: string;
  readonly isMain: boolean;
}

/** Of threads that there are now; one that is started later begins with the niceness of the thread that starts it. */
export async function setThreadPriorities(
  priorityOf: (thread: SystemThread) => ThreadPriority | null,
): Promise<void> {
  if (process.platform !== 'linux') return;
  const setSlice = await openSetSlice();
  for (const thread of systemThreads()) {
    const priority = priorityOf(thread);
    if (priority === null) continue;
    const { niceness = 0, sliceUs } = priority;
    try {
      if (niceness > getPriority(thread.id)) setPriority(thread.id, niceness);
      if (sliceUs !== undefined) setSlice?.(thread.id, getPriority(thread.id), sliceUs);
    } catch {
      // It has ended meanwhile, or a container forbids it.
    }
  }
}

export function systemThreads(): SystemThread[] {
  const folder = '/proc/self/task';
  try {
    return readdirSync(folder).flatMap((id) => {
      try {
        const name = readFileSync(`${folder}/${id}/comm`, 'latin1').trimEnd();
        return [{ id: Number(id), name, isMain: Number(id) === process.pid }];
      } catch {
        return [];
      }
    });
  } catch {
    // /proc is hidden.
    return [];
  }
}

/** Numbers of the call sched_setattr(2), which glibc has a name for since 2.41 only. */
const setAttributesCall: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 314, arm64: 274 };
/** struct sched_attr, the first version. */
const attributesBytes = 48;
const [sizeAt, policyAt, nicenessAt, runtimeAt] = [0, 4, 16, 24];
const normalPolicy = 0;

/** null where there is no such call. Kernels before 6.12 take a slice and do not heed it. */
async function openSetSlice(): Promise<((id: number, niceness: number, sliceUs: number) => void) | null> {
  const number = setAttributesCall[process.arch];
  if (number === undefined) return null;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const call = libc.func('long syscall(long, long, void *, long)');
    const policyOf = libc.func('int sched_getscheduler(int)');
    return (id, niceness, sliceUs) => {
      // Who runs the process as a batch or in real time wants all of it so.
      if (policyOf(id) !== normalPolicy) return;
      const attributes = Buffer.alloc(attributesBytes);
      attributes.writeUInt32LE(attributesBytes, sizeAt);
      attributes.writeUInt32LE(normalPolicy, policyAt);
      attributes.writeInt32LE(niceness, nicenessAt);
      attributes.writeBigUInt64LE(BigInt(sliceUs) * 1_000n, runtimeAt);
      call(number, id, attributes, 0);
    };
  } catch {
    // Another libc, or a platform that koffi has no binary for.
    return null;
  }
}
