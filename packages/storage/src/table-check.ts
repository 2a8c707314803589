/**
 * The checksums of LevelDB's tables, compared before LevelDB opens them. LevelDB merges tables without a look at them, and a
 * changed key ends the process by an assertion, at every start anew (classic-level 3.0.0: `TableBuilder::Add`).
 *
 * A table (LevelDB, doc/table_format.md): blocks, each followed by a type (0 plain, 1 Snappy) and a masked CRC-32C of block and
 * type; the last 48 bytes name the index of the data blocks and the index of the others, and end with a magic number.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from './crc32c.ts';
import { unpackSnappy } from './snappy.ts';
import { StorageError } from './storage-error.ts';

const footerBytes = 48;
const trailerBytes = 5;
const magic = 0xdb4775248b80fb57n;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Files of a LevelDB in `dir`, and what they take, bytes. */
export async function tablesIn(dir: string): Promise<{ names: string[]; bytes: number }> {
  const names = (await readdir(dir)).filter((name) => /\.(ldb|sst)$/.test(name)).sort();
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(dir, name))).size;
  return { names, bytes };
}

/** @throws StorageError 'corruption' that names the file */
export async function checkTables(dir: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const damage = damageOf(await readFile(join(dir, name)));
    if (damage !== null)
      throw new StorageError('corruption', `${join(dir, name)} is damaged: ${damage}`);
  }
}

/** Pure: what is wrong with the bytes of a table, null for nothing. */
export function damageOf(table: Buffer): string | null {
  if (table.length < footerBytes || table.readBigUInt64LE(table.length - 8) !== magic)
    return `it has ${table.length} bytes and does not end as a table does`;
  try {
    const footer = new Reader(table.subarray(table.length - footerBytes));
    for (const index of [footer.handle(), footer.handle()])
      for (const block of handlesIn(blockAt(table, index))) blockAt(table, block);
    return null;
  } catch (error) {
    if (error instanceof TableDamage || error instanceof RangeError) return error.message;
    throw error;
  }
}

class TableDamage extends Error {}

/** @returns its content. @throws TableDamage */
function blockAt(table: Buffer, { offset, size }: Handle): () => Buffer {
  const end = offset + size;
  if (end + trailerBytes > table.length - footerBytes)
    throw new TableDamage(`a block of ${size} bytes at ${offset} lies beyond the end`);
  const wanted = unmasked(table.readUInt32LE(end + 1));
  const found = crc32c(table.subarray(offset, end + 1));
  if (wanted !== found)
    throw new TableDamage(
      `the block at ${offset} has checksum ${found.toString(16)}, not ${wanted.toString(16)}`,
    );
  const block = table.subarray(offset, end);
  return () => (table[end] === 1 ? unpackSnappy(block) : block);
}

/** LevelDB stores checksums so that those of data that hold checksums stay good ones. */
function unmasked(stored: number): number {
  const turned = (stored - 0xa282ead8) >>> 0;
  return ((turned >>> 17) | (turned << 15)) >>> 0;
}

/** The values of an index block. */
function handlesIn(content: () => Buffer): Handle[] {
  const block = content();
  const restarts = block.readUInt32LE(block.length - 4);
  const reader = new Reader(block.subarray(0, block.length - 4 * (restarts + 1)));
  const handles: Handle[] = [];
  while (!reader.isAtEnd) {
    reader.varint();
    const keyBytes = reader.varint();
    reader.varint();
    reader.skip(keyBytes);
    handles.push(reader.handle());
  }
  return handles;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes.readUInt8(this.#at);
      this.#at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() };
  }
}
