/**
 * The runnable blocks of README.md: a `<!-- run: LANGUAGE -->` mark, the code, then the output it must print.
 */
export interface Block {
  readonly language: string;
  readonly line: number;
  readonly code: string;
  readonly output: string;
}

const pattern = /<!-- run: (\w+) -->\n```\w+\n([\s\S]*?)```\n```text\n([\s\S]*?)```/g;

export function readBlocks(markdown: string): Block[] {
  return [...markdown.matchAll(pattern)].map((match) => ({
    language: match[1] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
    code: match[2] ?? '',
    output: match[3] ?? '',
  }));
}
