/**
 * Runs the differential test in its four pairings: qdrant-client's local mode and the Qdrant server, each beside Quiver
 * over REST and over gRPC. Starts both servers itself.
 *
 *   npm run test:differential [-- --cases 2000 --seed 1]
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { startQdrant, startQuiver } from '../harness/server.ts';
import { pythonWithClient } from '../sdks/toolchains.ts';

const { values: flags } = parseArgs({
  options: { cases: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' } },
});
const python = pythonWithClient();
const counts = { passed: 0, failed: 0, skipped: 0 };

function pairing(name: string, args: string[]): void {
  process.stdout.write(`-- ${name}\n`);
  const common = ['--cases', flags.cases, '--seed', flags.seed];
  const done = spawnSync(python!, ['-B', join(import.meta.dirname, 'main.py'), ...args, ...common], {
    stdio: 'inherit',
  });
  if (done.status === 0) counts.passed += 1;
  else counts.failed += 1;
}

if (python === null) {
  process.stdout.write('no python3 on this machine\n');
  counts.skipped = 4;
} else {
  const quiver = await startQuiver();
  const qdrant = await startQdrant();
  try {
    const overGrpc = ['--second', quiver.url, '--grpc', String(quiver.grpcPort)];
    pairing('local mode and Quiver over REST', ['--first', ':memory:', '--second', quiver.url]);
    pairing('local mode and Quiver over gRPC', ['--first', ':memory:', ...overGrpc]);
    if (qdrant === null) {
      process.stdout.write('no Qdrant server: ../shared is absent\n');
      counts.skipped += 2;
    } else {
      pairing('the Qdrant server and Quiver over REST, payload indexes', [
        '--first',
        qdrant.url,
        '--second',
        quiver.url,
        '--indexes',
      ]);
      pairing('the Qdrant server and Quiver over gRPC, payload indexes', [
        '--first',
        qdrant.url,
        ...overGrpc,
        '--indexes',
      ]);
    }
  } finally {
    await quiver.stop();
    await qdrant?.stop();
  }
}
process.stdout.write(
  `differential: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
);
process.exitCode = counts.failed === 0 ? 0 : 1;
