/** The checker against Porcupine's own verdicts: 102 Jepsen histories of etcd, 6 key-value histories. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sharedFolder } from '../harness/server.ts';
import { checkHistory } from './check.ts';
import { etcdRegister } from './models/etcd-register.ts';
import { keyValue } from './models/key-value.ts';
import { parseJepsenLog, parseKeyValueLog } from './porcupine-logs.ts';

const shared = sharedFolder();
const folder = join(shared ?? '', 'reference/porcupine');

const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const verdicts = (file: string): [name: string, isLinearizable: boolean][] =>
  shared === null ? [] : Object.entries(JSON.parse(read(file)) as Record<string, boolean>);

describe.skipIf(shared === null)("Porcupine's verdicts (skipped without the shared folder)", () => {
  test('are 102 for etcd, 23 of them linearizable, and 6 for key-value', () => {
    const etcd = verdicts('jepsen-verdicts.json');
    expect(etcd.length).toBe(102);
    expect(etcd.filter(([, ok]) => ok).length).toBe(23);
    expect(verdicts('kv-verdicts.json').length).toBe(6);
  });
  test.each(verdicts('jepsen-verdicts.json'))('%s: linearizable is %s', (name, isLinearizable) => {
    const report = checkHistory(etcdRegister, parseJepsenLog(read(`jepsen/${name}`)));
    expect(report.verdict, report.text).toBe(isLinearizable ? 'valid' : 'invalid');
  });
  test.each(verdicts('kv-verdicts.json'))('%s: linearizable is %s', (name, isLinearizable) => {
    const report = checkHistory(keyValue, parseKeyValueLog(read(`kv/${name}`)));
    expect(report.verdict, report.text).toBe(isLinearizable ? 'valid' : 'invalid');
  });
});
