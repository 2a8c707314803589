/**
 * Runs README's blocks as printed against a server of its own (only the two port numbers are replaced by free ones),
 * the Python ones a second time over gRPC, and compares what they print with what README says.
 *
 *   npm run test:sdks [-- --peer]      --peer: against the Qdrant server, to check the blocks themselves
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startQdrant, startQuiver } from '../harness/server.ts';
import { readBlocks, type Block } from './readme-blocks.ts';
import { goModule, pythonWithClient, workFolder } from './toolchains.ts';

const root = join(import.meta.dirname, '../..');
const blockMs = 240_000;

interface Outcome {
  readonly name: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  readonly detail: string;
}

function run(command: string, args: string[], cwd: string): { output: string; error: string } {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: blockMs });
  return { output: done.stdout, error: done.status === 0 ? '' : `exit ${done.status}\n${done.stderr}` };
}

function runBlock(block: Block, code: string, name: string): Outcome {
  const work = workFolder();
  let done: { output: string; error: string };
  if (block.language === 'python') {
    const python = pythonWithClient();
    if (python === null) return { name, result: 'skipped', detail: 'no python3 on this machine' };
    writeFileSync(join(work, 'block.py'), code);
    done = run(python, ['-W', 'ignore', 'block.py'], work);
  } else if (block.language === 'go') {
    const module = goModule();
    if (module === null) return { name, result: 'skipped', detail: 'no go on this machine' };
    writeFileSync(join(module, 'main.go'), code);
    const tidied = run('go', ['mod', 'tidy'], module);
    done = tidied.error === '' ? run('go', ['run', '.'], module) : tidied;
  } else if (block.language === 'node') {
    writeFileSync(join(work, 'block.mjs'), code);
    done = run(process.execPath, ['block.mjs'], work);
  } else {
    writeFileSync(join(work, 'block.sh'), code);
    done = run('bash', ['block.sh'], work);
  }
  if (done.error !== '') return { name, result: 'failed', detail: done.error };
  if (done.output !== block.output)
    return { name, result: 'failed', detail: `printed:\n${done.output}README says:\n${block.output}` };
  return { name, result: 'passed', detail: '' };
}

const server = process.argv.includes('--peer') ? await startQdrant() : await startQuiver();
if (server === null) throw new Error('no Qdrant server: ../shared is absent');
const outcomes: Outcome[] = [];
try {
  for (const block of readBlocks(readFileSync(join(root, 'README.md'), 'utf8'))) {
    // Of a cluster: a system test runs it.
    if (block.language === 'cluster') continue;
    const code = block.code
      .replaceAll('localhost:6333', `127.0.0.1:${server.restPort}`)
      .replaceAll(/host: 'localhost', port: 6334|Host: "localhost", Port: 6334/g, (text) =>
        text.replace('localhost', '127.0.0.1').replace('6334', String(server.grpcPort)),
      );
    const name = `README.md:${block.line} ${block.language}`;
    outcomes.push(runBlock(block, code, name));
    if (block.language === 'python') {
      const overGrpc = code.replace(
        /(QdrantClient\(url="[^"]*")\)/,
        `$1, grpc_port=${server.grpcPort}, prefer_grpc=True)`,
      );
      if (overGrpc === code) throw new Error(`${name}: found no client to switch to gRPC`);
      outcomes.push(runBlock(block, overGrpc, `${name} over gRPC`));
    }
  }
} finally {
  await server.stop();
}
for (const { name, result, detail } of outcomes)
  process.stdout.write(
    `${result.padEnd(7)} ${name}${detail === '' ? '' : `\n${detail.replace(/^/gm, '        ')}`}\n`,
  );
const count = (result: Outcome['result']): number =>
  outcomes.filter((outcome) => outcome.result === result).length;
process.stdout.write(
  `sdks: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`,
);
process.exitCode = count('failed') === 0 && outcomes.length > 0 ? 0 : 1;
