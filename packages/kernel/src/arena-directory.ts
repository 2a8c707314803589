/**
 * What a thread knows of the arenas: id -> memory, and the thread's kernel in each, made when first asked for; and the files
 * that it reads of, opened once each.
 * Always: every thread of a process has its own directory and its own thread index (its scratch slot in every arena).
 */
import type { Arena, Region } from './arena.ts';
import { assert } from './assert.ts';
import type { ByteFile, ByteFiles } from './byte-file.ts';
import { createSimdKernel, type SimdKernel } from './simd.ts';

export class ArenaDirectory {
  /** This thread's index, 0..threads-1. */
  readonly thread: number;
  readonly #arenas = new Map<number, Arena>();
  readonly #kernels = new Map<number, SimdKernel>();
  readonly #open = new Map<number, ByteFile>();

  /** Where files are; null: there are none. */
  readonly files: ByteFiles | null;

  constructor(thread: number, files: ByteFiles | null = null) {
    this.thread = thread;
    this.files = files;
  }

  add(arena: Arena): void {
    this.#arenas.set(arena.id, arena);
  }

  /**
   * Forgets an arena, so that its memory can be collected.
   * @returns what is dead when nothing on this thread holds the memory any more, views over it neither; null: it is unknown
   */
  drop(arenaId: number): WeakRef<object> | null {
    const arena = this.#arenas.get(arenaId);
    this.#arenas.delete(arenaId);
    this.#kernels.delete(arenaId);
    return arena === undefined ? null : new WeakRef(arena.memory.buffer);
  }

  has(arenaId: number): boolean {
    return this.#arenas.has(arenaId);
  }

  arena(arenaId: number): Arena {
    const arena = this.#arenas.get(arenaId);
    assert(arena !== undefined, `arena ${arenaId} is unknown to thread ${this.thread}`);
    return arena;
  }

  /** The shared buffer of an arena; views over it stay valid as long as the arena lives (it never grows). */
  buffer(arenaId: number): SharedArrayBuffer {
    return this.arena(arenaId).memory.buffer as SharedArrayBuffer;
  }

  kernel(arenaId: number): SimdKernel {
    const known = this.#kernels.get(arenaId);
    if (known !== undefined) return known;
    const kernel = createSimdKernel(this.arena(arenaId), this.thread);
    this.#kernels.set(arenaId, kernel);
    return kernel;
  }

  /** A file, kept open until it is dropped. @throws when it is not there */
  file(file: number): ByteFile {
    let open = this.#open.get(file);
    if (open === undefined) {
      assert(this.files !== null, `file ${file} is asked of a thread without files`);
      open = this.files.open(file);
      this.#open.set(file, open);
    }
    return open;
  }

  /** Closes a file; no-op when it is not open. */
  dropFile(file: number): void {
    this.#open.get(file)?.close();
    this.#open.delete(file);
  }

  /** A region's bytes. */
  bytes(region: Region): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer(region.arena), region.offset, region.bytes);
  }
}
