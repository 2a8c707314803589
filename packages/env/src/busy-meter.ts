/** Whether the calling thread is much in use: others' requests would wait for what stops it. */
import { performance } from 'node:perf_hooks';

/** Of the thread's time, its waits for a core among it: a hundred searches a second take more. */
const busyShareMin = 0.02;
const windowMsMin = 100;

/** Says so of the time since it was asked last, or of that before where this is short. */
export function createBusyMeter(): () => boolean {
  let before = performance.eventLoopUtilization();
  let isBusy = false;
  return () => {
    const now = performance.eventLoopUtilization();
    const { idle, active, utilization } = performance.eventLoopUtilization(now, before);
    if (idle + active < windowMsMin) return isBusy;
    before = now;
    isBusy = utilization >= busyShareMin;
    return isBusy;
  };
}
