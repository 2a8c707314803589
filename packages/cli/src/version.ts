/** Versions as reported: ours, and the Qdrant version whose API this is (clients compare it with their own). */
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const version = manifest.version;
export const apiVersion = '1.19.0';
