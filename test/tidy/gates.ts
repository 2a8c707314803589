/**
 * The gates: each takes the repository as a map of path to text and returns one line per breach.
 * Pure, so that a test can show every gate failing on a small made-up tree.
 */
import { posix } from 'node:path';
import { bannedNames, bannedWords, impureGlobals, impureModules, layers, wasmLoaders } from './layers.ts';

export type Tree = ReadonlyMap<string, string>;

const linesMax = 400;
const importPattern =
  /(?:^|\n)\s*(?:import|export)\s+(?:type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;

function isTest(path: string): boolean {
  return /\.(test|contract|bench)\.ts$/.test(path) || path.includes('/testing/');
}

function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\/src\//.exec(path)?.[1];
}

function importsOf(text: string): string[] {
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '');
}

function* sources(tree: Tree): Generator<[path: string, text: string, pkg: string]> {
  for (const [path, text] of tree) {
    const pkg = packageOf(path);
    if (pkg !== undefined && path.endsWith('.ts') && !path.endsWith('.d.ts')) yield [path, text, pkg];
  }
}

/** Imports that cross the layers, reach into a package's inside, or leave the package by a relative path. */
export function importBreaches(tree: Tree): string[] {
  const breaches: string[] = [];
  for (const [path, text, pkg] of sources(tree)) {
    const layer = layers[pkg];
    if (layer === undefined) {
      breaches.push(`${path}: package ${pkg} is not in the layer table`);
      continue;
    }
    for (const target of importsOf(text)) {
      if (target.startsWith('.')) {
        const resolved = posix.normalize(posix.join(posix.dirname(path), target));
        if (packageOf(resolved) !== pkg && !resolved.startsWith(`packages/${pkg}/`))
          breaches.push(`${path}: relative import ${target} leaves the package`);
        continue;
      }
      const own = /^@quiver\/([^/]+)(\/.*)?$/.exec(target);
      if (own !== null) {
        const name = own[1] ?? '';
        const deep = own[2];
        const isEntry = deep === '/testing' ? isTest(path) : hasEntry(tree, name, `.${deep ?? ''}`);
        if (!isEntry) breaches.push(`${path}: ${target} reaches into a package; import @quiver/${name}`);
        if (name !== pkg && !layer.mayImport.includes(name) && !isTest(path))
          breaches.push(`${path}: ${pkg} may not import ${name}`);
        continue;
      }
      for (const [owner, rule] of Object.entries(layers)) {
        const owned = rule.owns.some((module) => target === module || target.startsWith(`${module}/`));
        if (owned && !layer.owns.includes(target) && owner !== pkg && !isTest(path))
          breaches.push(`${path}: ${target} belongs to ${owner} alone`);
      }
    }
  }
  return breaches;
}

/** Whether a package says that it may be imported there. */
function hasEntry(tree: Tree, name: string, entry: string): boolean {
  const manifest = JSON.parse(tree.get(`packages/${name}/package.json`) ?? '{}') as { exports?: object };
  return entry === '.' || Object.hasOwn(manifest.exports ?? {}, entry);
}

/** Imports of source files that the package's manifest does not declare, and declared ones nobody imports. */
export function manifestBreaches(tree: Tree): string[] {
  const used = new Map<string, Set<string>>();
  for (const [path, text, pkg] of sources(tree)) {
    if (isTest(path)) continue;
    const set = used.get(pkg) ?? new Set<string>();
    used.set(pkg, set);
    for (const target of importsOf(text)) {
      if (target.startsWith('.') || target.startsWith('node:')) continue;
      const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(target)?.[1] ?? target;
      if (name !== `@quiver/${pkg}`) set.add(name);
    }
  }
  const breaches: string[] = [];
  for (const [pkg, names] of used) {
    const path = `packages/${pkg}/package.json`;
    const manifest = JSON.parse(tree.get(path) ?? '{}') as { dependencies?: Record<string, string> };
    const declared = new Set(Object.keys(manifest.dependencies ?? {}));
    for (const name of names)
      if (!declared.has(name)) breaches.push(`${path}: ${name} is imported, not declared`);
    for (const name of declared)
      if (!names.has(name)) breaches.push(`${path}: ${name} is declared, never imported`);
  }
  return breaches;
}

/** I/O, clocks, randomness or process in a pure package. */
export function purityBreaches(tree: Tree): string[] {
  const breaches: string[] = [];
  for (const [path, text, pkg] of sources(tree)) {
    if (layers[pkg]?.pure !== true || isTest(path) || wasmLoaders.includes(path)) continue;
    for (const target of importsOf(text))
      if (impureModules.includes(target)) breaches.push(`${path}: a pure package imports ${target}`);
    const code = withoutCommentsAndStrings(text);
    for (const name of impureGlobals) {
      const pattern = new RegExp(`(?<![\\w.$])${name.replace('.', '\\.')}(?![\\w$])\\s*[.(]`);
      if (pattern.test(code)) breaches.push(`${path}: a pure package uses ${name}`);
    }
  }
  return breaches;
}

export function lengthBreaches(tree: Tree): string[] {
  const breaches: string[] = [];
  for (const [path, text] of tree) {
    if (!path.endsWith('.ts') || path.includes('/gen/')) continue;
    const lines = text.split('\n').length - 1;
    if (lines > linesMax) breaches.push(`${path}: ${lines} lines, at most ${linesMax}: split it by idea`);
  }
  return breaches;
}

export function nameBreaches(tree: Tree): string[] {
  const breaches: string[] = [];
  for (const path of tree.keys()) {
    for (const part of path.split('/')) {
      const stem = part.replace(/\..*$/, '');
      if (bannedNames.includes(stem)) breaches.push(`${path}: "${stem}" names no idea`);
    }
    if (/^packages\/.*\.ts$/.test(path) && !/^[a-z0-9.-]+$/.test(posix.basename(path)))
      breaches.push(`${path}: file names are kebab-case`);
  }
  return breaches;
}

export function wordBreaches(tree: Tree): string[] {
  const breaches: string[] = [];
  for (const [path, text] of tree) {
    const source = /^packages\/.*\.ts$/.test(path) && !isTest(path);
    if (!source && !/^(docs\/|README|CONTRIBUTING)/.test(path)) continue;
    for (const [word, advice] of Object.entries(bannedWords)) {
      if (word === 'console.log' && !source) continue;
      if (new RegExp(`(?<![\\w])${word.replace('.', '\\.')}(?![\\w])`).test(text))
        breaches.push(`${path}: "${word}": ${advice}`);
    }
  }
  return breaches;
}

/** Relative links and file names in documents that lead nowhere. */
export function linkBreaches(tree: Tree): string[] {
  const breaches: string[] = [];
  const folders = new Set<string>();
  for (const path of tree.keys())
    for (let folder = posix.dirname(path); folder !== '.'; folder = posix.dirname(folder))
      folders.add(folder);
  const exists = (path: string): boolean => tree.has(path) || folders.has(path.replace(/\/$/, ''));
  for (const [path, text] of tree) {
    if (!path.endsWith('.md')) continue;
    for (const match of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      const target = match[1] ?? '';
      if (/^[a-z]+:/.test(target)) continue;
      if (!exists(posix.normalize(posix.join(posix.dirname(path), target))))
        breaches.push(`${path}: link to ${target} leads nowhere`);
    }
    for (const match of text.matchAll(
      /`((?:packages|test|docs|proto|deploy|helm)\/[\w./-]+\.(?:ts|mjs|md|proto|sh|yml|yaml|json))`/g,
    )) {
      const target = match[1] ?? '';
      if (!exists(target)) breaches.push(`${path}: names ${target}, which is not there`);
    }
  }
  return breaches;
}

function withoutCommentsAndStrings(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}
