/**
 * The table of docs/configuration.md, from the schema: `node packages/cli/src/config/document.ts > docs/configuration.md`.
 * A test holds the file to it.
 */
import { describe } from './check.ts';
import { configSchema } from './keys.ts';
import { leaves, type KeyStatus, type Leaf } from './schema.ts';

const opening = `# Configuration

Quiver reads a Qdrant configuration. Sources, later wins, key by key:

1. the defaults below,
2. \`config/config.yaml\`, \`config/$RUN_MODE.yaml\` (\`development\` unless \`RUN_MODE\` says otherwise), \`config/local.yaml\`, in the working directory,
3. the file after \`--config-path\`,
4. environment variables \`QDRANT__A__B\`, then \`QUIVER__A__B\`: two underscores between levels, any case, so \`service.http_port\` is \`QDRANT__SERVICE__HTTP_PORT\`.

An unknown key, a wrong type or a value out of range ends the start with the file and the line, all of them at once. A key marked *no effect* is accepted so that a Qdrant configuration loads, and a warning says so at start when it is set. A key marked *refused* would promise what this version does not do, such as encryption: any value but the default ends the start.

Flags (\`quiver --help\`) win over all of it: \`--uri\` is \`cluster.advertise\`, \`--id\` is \`cluster.name\`, \`--peers\` and \`--meta\` are the keys of that name, \`--listen\` sets \`service.host\` and \`cluster.p2p.port\`; \`--uri\` or \`--bootstrap\` turn \`cluster.enabled\` on.
`;

const statusWords: Readonly<Record<KeyStatus, string>> = {
  used: '',
  accepted: 'no effect',
  refused: 'refused',
};

export function configurationMarkdown(): string {
  const groups = new Map<string, [string, Leaf<unknown>][]>();
  for (const [path, leaf] of leaves(configSchema)) {
    const group = path.includes('.') ? path.slice(0, path.indexOf('.')) : 'top level';
    const keys = groups.get(group) ?? [];
    keys.push([path, leaf]);
    groups.set(group, keys);
  }
  let text = opening;
  for (const [group, keys] of groups) {
    text += `\n## ${group}\n\n| key | type | default | | |\n|---|---|---|---|---|\n`;
    for (const [path, leaf] of keys) text += `${row(path, leaf)}\n`;
  }
  return text;
}

function row(path: string, leaf: Leaf<unknown>): string {
  return `| \`${path}\` | ${describe(leaf)} | \`${JSON.stringify(leaf.default)}\` | ${statusWords[leaf.status]} | ${leaf.about} |`;
}

if (import.meta.main) process.stdout.write(configurationMarkdown());
