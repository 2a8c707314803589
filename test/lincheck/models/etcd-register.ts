/** One register with read, write and compare-and-set, as Jepsen's etcd test drives it. Empty (null) at first. */
import type { Model } from '../model.ts';

export type EtcdInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'cas'; readonly from: number; readonly to: number };

/** read: the value or null. write: 'done'. cas: whether the register held `from`. */
export type EtcdOutput = number | null | 'done' | boolean;

export const etcdRegister: Model<EtcdInput, EtcdOutput, number | null> = {
  name: 'etcd register',
  initial: null,
  partitionOf: () => 'register',
  isRead: (input) => input.kind === 'read',
  step(state, input, output) {
    switch (input.kind) {
      case 'read':
        return output === undefined || output === state ? [state] : [];
      case 'write':
        return [input.value];
      case 'cas': {
        const swaps = state === input.from;
        if (output !== undefined && output !== swaps) return [];
        return [swaps ? input.to : state];
      }
    }
  },
  keyOf: (state) => String(state),
  describe(input, output) {
    const result = output === undefined ? '?' : String(output);
    if (input.kind === 'read') return `read -> ${result}`;
    if (input.kind === 'write') return `write ${input.value} -> ${result}`;
    return `cas ${input.from} to ${input.to} -> ${result}`;
  },
};
