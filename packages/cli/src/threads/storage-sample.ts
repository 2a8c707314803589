/** What a node that stores something tells of it in /metrics. */
import type { ShardControl } from '@quiver/shard';
import type { StorageSample } from '@quiver/telemetry';

export function storageSample(control: ShardControl): StorageSample {
  const { budgetBytes, usedBytes, retiredBytes, pooledBytes, leavingBytes } = control.memory();
  const components: Record<string, number> = {};
  for (const { component, bytes } of control.memoryParts())
    components[component] = (components[component] ?? 0) + bytes;
  return {
    scrub: { ...control.scrubbed() },
    memory: { budgetBytes, usedBytes, reusableBytes: retiredBytes + pooledBytes + leavingBytes, components },
  };
}
