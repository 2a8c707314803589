/**
 * The `quiver` command: reads flags and configuration, says at once what is wrong with them, and runs a role.
 * Exit codes: 0 stopped as asked, 2 wrong command line, 78 wrong configuration, 74 a volume failed, 1 anything else.
 */
import { ClusterError } from '@quiver/model';
import { ConfigError, loadConfig, usage } from './config/index.ts';
import { runAll } from './roles/all.ts';
import { runMeta } from './roles/meta.ts';
import { runRouter } from './roles/router.ts';
import { runShard } from './roles/shard.ts';
import { version } from './version.ts';

const exitUsage = 2;
const exitConfig = 78;

const roles = { all: runAll, meta: runMeta, shard: runShard, router: runRouter };

async function main(): Promise<number | null> {
  const loaded = loadConfig(process.argv.slice(2), process.env, process.cwd());
  if (loaded.flags.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (loaded.flags.version) {
    process.stdout.write(`quiver ${version}\n`);
    return 0;
  }
  const [name = 'all', ...rest] = loaded.flags.words;
  const run = Object.hasOwn(roles, name) ? roles[name as keyof typeof roles] : undefined;
  if (run === undefined || rest.length > 0) {
    const asked = loaded.flags.words.join(' ');
    process.stderr.write(`quiver: "${asked}" is no role: ${Object.keys(roles).join(', ')}\n\n${usage}`);
    return exitUsage;
  }
  await run(loaded);
  return null;
}

try {
  const code = await main();
  // null: the role runs on and ends the process itself.
  if (code !== null) process.exitCode = code;
} catch (error) {
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.problems.map((problem) => `quiver: ${problem}`).join('\n')}\n`);
    process.exitCode = exitConfig;
  } else {
    process.stderr.write(`quiver: ${explain(error)}\n`);
    process.exitCode = 1;
  }
  process.exit();
}

/** What the world refused is told in a sentence; where in the code it happened helps only with our own mistakes. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOfTheWorld = error instanceof ClusterError ? error.code !== 'internal' : 'syscall' in error;
  return isOfTheWorld ? error.message : (error.stack ?? error.message);
}
