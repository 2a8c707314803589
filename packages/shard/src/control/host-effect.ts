/** The replication machine's inputs and effects, of points. */
import type { Effect, Input } from '@quiver/replication';
import type { PointId } from '@quiver/model';
import type { OrderedChange } from './change.ts';

export type HostInput = Input<OrderedChange, PointId>;
export type HostEffect = Effect<OrderedChange, PointId>;
/** The host knows the time itself. */
export type WithoutNow<T> = T extends unknown ? Omit<T, 'nowMs'> : never;

export type MetaEffect = Extract<
  HostEffect,
  {
    kind:
      | 'alter_isr'
      | 'bump_term'
      | 'propose_hand_over'
      | 'refresh_view'
      | 'confirm_with_meta'
      | 'replace_allocation';
  }
>;
