/**
 * Damage to the files of a stopped node's volumes: a torn end or flipped bits in the newest log or table of LevelDB, or in
 * the tail anchor. What a disk does that loses or changes what it had confirmed.
 */
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pick, type World } from './world.ts';

const tornBytesMax = 4_096;
const flipsMax = 3;

/** @returns what was done to which file; null: there is nothing to damage */
export function damage(volume: string, world: Pick<World, 'random'>): string | null {
  const files = damageable(volume);
  if (files.length === 0) return null;
  const file = pick(files, world);
  const { size } = statSync(join(volume, file));
  if (world.random() < 0.4) {
    const torn = Math.min(size, 1 + Math.floor(world.random() * tornBytesMax));
    truncateSync(join(volume, file), size - torn);
    return `${file} lost its last ${torn} of ${size} bytes`;
  }
  const bytes = readFileSync(join(volume, file));
  const flips = 1 + Math.floor(world.random() * flipsMax);
  const places = Array.from({ length: flips }, () => Math.floor(world.random() * bytes.length));
  for (const at of places) bytes[at]! ^= 1 << Math.floor(world.random() * 8);
  writeFileSync(join(volume, file), bytes);
  return `${file} has flipped bits at ${places.join(', ')} of ${size}`;
}

function damageable(volume: string): string[] {
  const newest = (folder: string, ending: string): string[] =>
    readdirSync(join(volume, folder))
      .filter((name) => name.endsWith(ending))
      .sort((a, b) => Number.parseInt(a) - Number.parseInt(b))
      .slice(-1)
      .map((name) => join(folder, name));
  const database = existsSync(join(volume, 'db')) ? 'db' : '';
  const found = [...newest(database, '.log'), ...newest(database, '.ldb')];
  if (existsSync(join(volume, 'anchor'))) found.push('anchor');
  return found.filter((file) => statSync(join(volume, file)).size > 0);
}
