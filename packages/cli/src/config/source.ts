/**
 * Settings as a source gives them: a path, a value, and where it stands ("config/local.yaml:3", "QDRANT__LOG_LEVEL").
 */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, isAlias, type Document, type Node } from 'yaml';

export interface Setting {
  /** Keys from the root, as written. */
  readonly path: readonly string[];
  readonly value: unknown;
  readonly origin: string;
  /** From an environment variable: `value` is its text, read by the key's type. */
  readonly isText: boolean;
}

/**
 * The settings of a YAML (or JSON) file, one per scalar or list.
 * @returns problems as lines of text with file and line
 */
export function yamlSettings(text: string, file: string): { settings: Setting[]; problems: string[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  if (document.errors.length > 0) {
    return {
      settings: [],
      problems: document.errors.map(
        (error) => `${file}:${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0] ?? ''}`,
      ),
    };
  }
  const settings: Setting[] = [];
  const problems: string[] = [];
  const root: unknown = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return { settings, problems };
  const lineOf = (node: unknown): number => {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : lines.linePos(offset).line;
  };
  if (!isMap(root)) problems.push(`${file}:${lineOf(root)}: a map of keys is expected at the top`);
  else walk(document, root, [], file, lineOf, settings);
  return { settings, problems };
}

function walk(
  document: Document.Parsed,
  node: unknown,
  path: readonly string[],
  file: string,
  lineOf: (node: unknown) => number,
  into: Setting[],
): void {
  const target = isAlias(node) ? node.resolve(document) : node;
  if (isMap(target) && target.items.length > 0) {
    for (const pair of target.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
      const value = pair.value ?? pair.key;
      if (pair.value === null || pair.value === undefined)
        into.push({
          path: [...path, key],
          value: null,
          origin: `${file}:${lineOf(pair.key)}`,
          isText: false,
        });
      else if (isMap(value) || isAlias(value)) walk(document, value, [...path, key], file, lineOf, into);
      else {
        const plain: unknown = isSeq(value) ? value.toJS(document) : isScalar(value) ? value.value : null;
        into.push({
          path: [...path, key],
          value: plain,
          origin: `${file}:${lineOf(pair.key)}`,
          isText: false,
        });
      }
    }
    return;
  }
  const value: unknown = isMap(target)
    ? {}
    : isSeq(target)
      ? target.toJS(document)
      : isScalar(target)
        ? target.value
        : null;
  into.push({ path, value, origin: `${file}:${lineOf(node)}`, isText: false });
}

/** Settings of variables `PREFIX__A__B`, in the order of their names. */
export function envSettings(env: Readonly<Record<string, string | undefined>>, prefix: string): Setting[] {
  const settings: Setting[] = [];
  for (const name of Object.keys(env).sort()) {
    const value = env[name];
    if (value === undefined || !name.toUpperCase().startsWith(`${prefix}__`)) continue;
    const path = name
      .slice(prefix.length + 2)
      .split('__')
      .map((part) => part.toLowerCase());
    settings.push({ path, value, origin: name, isText: true });
  }
  return settings;
}
