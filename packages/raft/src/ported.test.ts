// PORTED.md against etcd's sources and our titles: nothing forgotten, nothing claimed that is not there.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { referenceFolder, skipReason } from './testing/reference.ts';

interface Row {
  readonly file: string;
  readonly name: string;
  readonly here: string;
}

const listed = readFileSync(join(import.meta.dirname, '../PORTED.md'), 'utf8');

function rowsOf(text: string): Row[] {
  let file = '';
  return text.split('\n').flatMap((line): Row[] => {
    file = /^## (\S+)$/.exec(line)?.[1] ?? file;
    const row = /^\| ((?:Test|Benchmark|Example|Fuzz)\w*) \| (.+) \|$/.exec(line);
    return row === null ? [] : [{ file, name: row[1]!, here: row[2]! }];
  });
}

const rows = rowsOf(listed);
const isPorted = ({ here }: Row): boolean => !here.startsWith('not applicable');

test('what is listed as ported is in the titles of the files named', () => {
  const missing = rows.filter(isPorted).filter(({ name, here }) =>
    here.split(', ').some((file) => {
      const source = readFileSync(join(import.meta.dirname, file), 'utf8');
      return !new RegExp(`['\`]${name}\\b`).test(source);
    }),
  );
  expect(missing).toEqual([]);
});

test('what is not applicable says why', () => {
  for (const row of rows) if (!isPorted(row)) expect(row.here).toMatch(/^not applicable: \S+ \S+/);
});

test('the counts at the top are those of the list', () => {
  const ported = rows.filter(isPorted).length;
  expect(listed).toContain(`${ported} ported, ${rows.length - ported} not applicable`);
});

describe.skipIf(referenceFolder() === null)(`against the Go sources${skipReason}`, () => {
  test('every Go test is listed, and nothing else', () => {
    const folder = referenceFolder() ?? '';
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('_test.go'))
      .sort();
    const inGo = files.flatMap((file) =>
      [
        ...readFileSync(join(folder, file), 'utf8').matchAll(
          /^func ((?:Test|Benchmark|Example|Fuzz)\w*)\(/gm,
        ),
      ].map((match) => `${file} ${match[1] ?? ''}`),
    );
    expect(rows.map(({ file, name }) => `${file} ${name}`).sort()).toEqual(inGo.sort());
  });
});
