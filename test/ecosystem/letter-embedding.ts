/** A text's letter and letter-pair counts as 64 numbers: texts that look alike lie near, without any model. */
export function embedText(text: string): number[] {
  const vector = new Array<number>(64).fill(0);
  const add = (at: number): void => {
    vector[at] = (vector[at] ?? 0) + 1;
  };
  for (let i = 0; i < text.length; i += 1) {
    add(text.charCodeAt(i) % 32);
    if (i > 0) add(32 + ((text.charCodeAt(i - 1) * 31 + text.charCodeAt(i)) % 32));
  }
  return vector;
}
