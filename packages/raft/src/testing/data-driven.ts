/**
 * Scripts of commands with their expected output, in the format of etcd's test data:
 *
 *   # comment
 *   command argument key=value key=(value,value)
 *   optional input lines
 *   ----
 *   expected output, up to an empty line
 *
 * Always: `rewriteScript` with a runner that answers as expected gives the script back byte for byte.
 */

export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Directive {
  readonly command: string;
  readonly args: readonly Argument[];
  /** Lines between the command and the separator. */
  readonly input: string;
  /** Of the command line, from 1. */
  readonly line: number;
}

/** Runs every command in order and returns the script with the answers in place of the expected outputs. */
export function rewriteScript(script: string, run: (directive: Directive) => string): string {
  const lines = script.split('\n');
  const out: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.trim() === '' || line.startsWith('#')) {
      out.push(line);
      at += 1;
      continue;
    }
    const start = at;
    let separator = at + 1;
    while (separator < lines.length && lines[separator] !== '----') separator += 1;
    if (separator === lines.length) throw new Error(`line ${start + 1}: no "----" after ${line}`);
    const { end, isFenced } = expectedEnd(lines, separator);
    const input = lines.slice(start + 1, separator).join('\n');
    const answer = run({ ...parseCommand(line), input, line: start + 1 });
    const body = answer.endsWith('\n') ? answer.slice(0, -1) : answer;
    out.push(...lines.slice(start, separator + 1));
    // Output with empty lines inside stands between doubled separators.
    if (isFenced) out.push('----', body, '----', '----');
    else if (body !== '') out.push(body);
    at = end;
  }
  return out.join('\n');
}

function expectedEnd(lines: readonly string[], separator: number): { end: number; isFenced: boolean } {
  const isFenced = lines[separator + 1] === '----';
  let end = separator + 1;
  if (isFenced) {
    end += 1;
    while (!(lines[end] === '----' && lines[end + 1] === '----')) {
      if (end >= lines.length) throw new Error(`line ${separator + 1}: output without its end`);
      end += 1;
    }
    return { end: end + 2, isFenced };
  }
  while (end < lines.length && lines[end] !== '') end += 1;
  return { end, isFenced };
}

export function parseCommand(line: string): { command: string; args: Argument[] } {
  const [command = '', ...rest] = line.trim().match(/[^\s=]+=\([^)]*\)|\S+/g) ?? [];
  const args = rest.map((token): Argument => {
    const at = token.indexOf('=');
    if (at < 0) return { key: token, values: [] };
    const value = token.slice(at + 1);
    const isList = value.startsWith('(') && value.endsWith(')');
    const values = isList ? value.slice(1, -1).split(',') : [value];
    return {
      key: token.slice(0, at),
      values: values.map((each) => each.trim()).filter((each) => each !== ''),
    };
  });
  return { command, args };
}
