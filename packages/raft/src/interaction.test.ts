// etcd's interaction scripts and our own: the same commands give the same words, byte for byte. After a change meant to
// show in our own, QUIVER_REWRITE=1 writes their answers anew; read the difference before committing it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rewriteScript } from './testing/data-driven.ts';
import { Interaction } from './testing/interaction.ts';
import { referenceFolder, referenceScripts, scriptsIn, skipReason } from './testing/reference.ts';

function answered(text: string): string {
  const interaction = new Interaction();
  return rewriteScript(text, (directive) => interaction.run(directive));
}

describe('TestInteraction', () => {
  const isAbsent = referenceFolder() === null;
  const scripts = isAbsent ? [] : referenceScripts('testdata');

  test.skipIf(isAbsent)(`all 28 scripts are there${skipReason}`, () => {
    expect(scripts).toHaveLength(28);
  });
  test.each(scripts)('$name', ({ text }) => {
    expect(answered(text)).toBe(text);
  });
});

describe('own scripts', () => {
  const folder = join(import.meta.dirname, 'testdata');
  test.each(scriptsIn(folder))('$name', ({ name, text }) => {
    const answers = answered(text);
    if (process.env['QUIVER_REWRITE'] === '1') writeFileSync(join(folder, name), answers);
    else expect(answers).toBe(text);
    expect(answers).not.toContain('unknown command');
  });
});
