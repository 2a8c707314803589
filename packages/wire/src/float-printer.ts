/** f32 as its shortest decimal text that reads back the same, in serde_json's form (1.0, 1e-7, 1.5e+13). */
import { createReplyBuilder } from './reply-builder.ts';

export interface FloatPrinter {
  /** "null" when not finite */
  print(value: number): string;
  /** A JSON list. */
  printAll(values: Float32Array): string;
}

export function createFloatPrinter(): FloatPrinter {
  const builder = createReplyBuilder();
  return {
    print(value) {
      builder.start();
      builder.float(value);
      return builder.take().toString('latin1');
    },
    printAll(values) {
      builder.start();
      builder.floats(values);
      return builder.take().toString('latin1');
    },
  };
}
