// Holds the repository to its own rules; then shows each gate failing once on a made-up tree.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  importBreaches,
  lengthBreaches,
  linkBreaches,
  manifestBreaches,
  nameBreaches,
  purityBreaches,
  wordBreaches,
  type Tree,
} from './gates.ts';

const root = join(import.meta.dirname, '../..');

function readRepository(): Tree {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const tree = new Map<string, string>();
  for (const path of listed.split('\n')) {
    if (path === '' || !existsSync(join(root, path))) continue;
    const isText =
      /\.(ts|mjs|js|json|md|proto|sh|yml|yaml|c|py|go)$/.test(path) && path !== 'package-lock.json';
    tree.set(path, isText ? readFileSync(join(root, path), 'utf8') : '');
  }
  return tree;
}

describe('the repository', () => {
  const tree = readRepository();
  test.each([
    ['imports keep to the layers', importBreaches],
    ['manifests declare what is imported', manifestBreaches],
    ['pure packages are pure', purityBreaches],
    ['no source file is over 400 lines', lengthBreaches],
    ['names name ideas', nameBreaches],
    ['no banned word', wordBreaches],
    ['documents name files that exist', linkBreaches],
  ])('%s', (_name, gate) => {
    expect(gate(tree)).toEqual([]);
  });
});

describe('each gate', () => {
  const tree = (files: Record<string, string>): Tree => new Map(Object.entries(files));
  test('refuses an import across the layers', () => {
    const found = importBreaches(tree({ 'packages/router/src/a.ts': "import { x } from '@quiver/shard';" }));
    expect(found).toEqual(['packages/router/src/a.ts: router may not import shard']);
  });
  test('refuses a heavy dependency outside its owner', () => {
    const found = importBreaches(
      tree({ 'packages/shard/src/a.ts': "import { ClassicLevel } from 'classic-level';" }),
    );
    expect(found).toEqual(['packages/shard/src/a.ts: classic-level belongs to storage alone']);
  });
  test('refuses a reach into another package', () => {
    const found = importBreaches(
      tree({ 'packages/ann/src/a.ts': "export { x } from '@quiver/kernel/src/simd.ts';" }),
    );
    expect(found).toHaveLength(1);
  });
  test('refuses an undeclared and an unused dependency', () => {
    const found = manifestBreaches(
      tree({
        'packages/ann/src/a.ts': "import { x } from '@quiver/kernel';",
        'packages/ann/package.json': '{"dependencies":{"left-pad":"1"}}',
      }),
    );
    expect(found).toHaveLength(2);
  });
  test('refuses a clock in a pure package, and not in a comment', () => {
    const found = purityBreaches(
      tree({
        'packages/ann/src/a.ts': 'const t = Date.now();',
        'packages/ann/src/b.ts': '// Date.now() is banned',
      }),
    );
    expect(found).toEqual(['packages/ann/src/a.ts: a pure package uses Date']);
  });
  test('refuses file access in a pure package', () => {
    expect(purityBreaches(tree({ 'packages/ann/src/a.ts': "import fs from 'node:fs';" }))).toHaveLength(1);
  });
  test('refuses a file of 401 lines', () => {
    expect(lengthBreaches(tree({ 'test/a.ts': 'x\n'.repeat(401) }))).toHaveLength(1);
  });
  test('refuses a name without an idea', () => {
    expect(nameBreaches(tree({ 'packages/ann/src/utils.ts': '' }))).toHaveLength(1);
  });
  test('refuses a banned word', () => {
    expect(wordBreaches(tree({ 'packages/ann/src/a.ts': ['// TO', 'DO later'].join('') }))).toHaveLength(1);
  });
  test('refuses a dead link and a dead file name', () => {
    const found = linkBreaches(tree({ 'docs/a.md': '[x](gone.md) and `packages/ann/src/gone.ts`' }));
    expect(found).toHaveLength(2);
  });
});
