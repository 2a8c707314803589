/** The image and docker-compose.yml on a real engine: README's quickstart by curl, restarts, the read-only container. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { readBlocks } from '../sdks/readme-blocks.ts';
import { awaitState } from './await-state.ts';
import { docker, openProject, output, root, run, testImage, type Project } from './engine.ts';
import { connect, createCollection, differences, upload } from './workload.ts';

const missing = inject('engineMissing');
const readyMs = 60_000;

const isHealthy = (container: string) => (): true | string => {
  const health = docker('inspect', '--format', '{{.State.Health.Status}}', container);
  return health === 'healthy' ? true : health;
};

describe.skipIf(missing !== '')(`the image (skipped without an engine: ${missing || 'there is one'})`, () => {
  test('runs as a user without rights, and holds neither tests nor build tools', () => {
    const inside = (...command: readonly string[]): string =>
      docker('run', '--rm', '--entrypoint', command[0] ?? '', testImage, ...command.slice(1));
    expect(inside('id', '-u')).toBe('1000');
    expect(inside('find', 'packages', '-name', '*.test.ts', '-o', '-name', 'assembly')).toBe('');
    expect(
      inside('sh', '-c', 'ls node_modules | grep -c -x -e assemblyscript -e vitest -e node || true'),
    ).toBe('0');
    expect(inside('find', 'packages', '-name', '*.wasm').split('\n').length).toBe(2);
  });
  test('holds its modules compiled, for the user it runs as', () => {
    const cached = docker(
      'run',
      '--rm',
      '--entrypoint',
      'sh',
      testImage,
      '-c',
      'ls compile-cache/*-1000 | wc -l',
    );
    // A file for each module: the packages and what they use.
    expect(Number(cached)).toBeGreaterThan(500);
  });
  test('says which role or flag it does not know, and ends', () => {
    const done = run('docker', ['run', '--rm', testImage, 'no-such-role']);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('no-such-role');
  });
  test('serves with a read-only root and no capability, as the chart runs it', async () => {
    const config = mkdtempSync(join(tmpdir(), 'quiver-config-'));
    writeFileSync(join(config, 'production.yaml'), 'log_level: DEBUG\n');
    const port = await freePort();
    const limits = [
      '--read-only',
      '--tmpfs',
      '/tmp',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
    ];
    const mounts = ['--volume', '/quiver/storage', '--volume', `${config}:/quiver/config:ro`];
    const id = docker(
      'run',
      '--detach',
      ...limits,
      ...mounts,
      '--publish',
      `127.0.0.1:${port}:6333`,
      testImage,
    );
    try {
      await awaitState('the read-only container', readyMs, isHealthy(id));
      const client = connect(`http://127.0.0.1:${port}`);
      await createCollection(client, 'read-only');
      await upload(client, 'read-only', 0, 100);
      expect(await differences(client, { collection: 'read-only', count: 100 })).toEqual([]);
      const logged = run('docker', ['logs', id]);
      expect(logged.stdout + logged.stderr).not.toMatch(/"level":"(warn|error)"/);
    } finally {
      docker('rm', '--force', '--volumes', id);
      rmSync(config, { recursive: true });
    }
  });
});

describe.skipIf(missing !== '')(
  `docker-compose.yml (skipped without an engine: ${missing || 'there is one'})`,
  () => {
    const storage = mkdtempSync(join(tmpdir(), 'quiver-compose-'));
    let project: Project;
    let port: number;
    beforeAll(async () => {
      port = await freePort();
      project = openProject('docker-compose.yml', `quiver-one-${process.pid}`, {
        QUIVER_STORAGE: storage,
        QUIVER_REST_PORT: `127.0.0.1:${port}`,
        QUIVER_GRPC_PORT: `127.0.0.1:${await freePort()}`,
      });
      project.compose('up', '--detach');
      await awaitState('docker-compose.yml', readyMs, isHealthy(project.containerOf('quiver')));
    });
    afterAll(() => {
      project.remove();
      rmSync(storage, { recursive: true, force: true });
    });

    test("answers README's quickstart by curl as README says", () => {
      const block = readBlocks(readFileSync(join(root, 'README.md'), 'utf8')).find(
        ({ language }) => language === 'bash',
      );
      expect(block).toBeDefined();
      const code = block!.code.replaceAll('localhost:6333', `127.0.0.1:${port}`);
      expect(`${output('bash', ['-c', code])}\n`).toBe(block!.output);
    });
    test('keeps its points in the named folder over SIGTERM and SIGKILL', async () => {
      const client = connect(`http://127.0.0.1:${port}`);
      await createCollection(client, 'kept');
      await upload(client, 'kept', 0, 500);
      const container = project.containerOf('quiver');
      project.compose('stop', 'quiver');
      expect(docker('inspect', '--format', '{{.State.ExitCode}}', container)).toBe('0');
      project.compose('start', 'quiver');
      await awaitState('the start after SIGTERM', readyMs, isHealthy(container));
      await upload(client, 'kept', 500, 700);
      docker('kill', '--signal', 'KILL', container);
      project.compose('start', 'quiver');
      await awaitState('the start after SIGKILL', readyMs, isHealthy(container));
      expect(await differences(client, { collection: 'kept', count: 700 })).toEqual([]);
      expect(statSync(storage).uid).toBe(1000);
    });
  },
);
