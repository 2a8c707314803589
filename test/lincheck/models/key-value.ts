/** Strings by key with get, put and append; an absent key reads as the empty string. One object per key. */
import type { Model } from '../model.ts';

export interface KeyValueInput {
  readonly kind: 'get' | 'put' | 'append';
  readonly key: string;
  /** Empty for get. */
  readonly value: string;
}

/** get: the value. put and append: any string, not looked at. */
export const keyValue: Model<KeyValueInput, string, string> = {
  name: 'key-value',
  initial: '',
  partitionOf: (input) => `key ${input.key}`,
  isRead: (input) => input.kind === 'get',
  step(state, input, output) {
    switch (input.kind) {
      case 'get':
        return output === undefined || output === state ? [state] : [];
      case 'put':
        return [input.value];
      case 'append':
        return [state + input.value];
    }
  },
  keyOf: (state) => state,
  describe(input, output) {
    const result = output === undefined ? '?' : JSON.stringify(output);
    if (input.kind === 'get') return `get ${input.key} -> ${result}`;
    return `${input.kind} ${input.key} ${JSON.stringify(input.value)}${output === undefined ? ' -> ?' : ''}`;
  },
};
