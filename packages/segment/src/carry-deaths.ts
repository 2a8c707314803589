/** Deaths that reached the inputs of a merge while it ran, brought to its result. On the control thread. */
import type { SealPlan } from './seal-plan.ts';
import { noRow } from './seal.ts';
import { killRow } from './plain-segment.ts';
import type { SegmentReader } from './segment.ts';

/**
 * REQUIRES: no death is set between this call and the swap of the segment sets. May be called before as well, so that
 * little is left for the last call: what was carried is passed over.
 * @param offsetMaps - as `buildSealed` returned them, by input
 * @returns deaths carried by this call
 */
export function carryDeaths(
  plan: SealPlan,
  inputs: readonly SegmentReader[],
  offsetMaps: readonly Uint32Array[],
  target: SegmentReader,
): number {
  const { baseGroup } = target.descriptor;
  let carried = 0;
  for (const [index, input] of inputs.entries()) {
    // Most inputs lost nothing meanwhile: their columns need not be read.
    if (input.deadCount() === plan.inputDeadRows[index]) continue;
    const offsets = offsetMaps[index]!;
    const { death } = input.views;
    const firstAfter = baseGroup - input.descriptor.baseGroup;
    for (let row = 0; row < offsets.length; row += 1) {
      const dead = death[row]!;
      if (dead <= firstAfter) continue;
      const to = offsets[row]!;
      // A row that was born after the snapshot has no place in the target; closed inputs have none such.
      if (to === noRow || target.views.death[to] !== 0) continue;
      killRow(target, to, input.descriptor.baseGroup + dead);
      carried += 1;
    }
  }
  return carried;
}
