/**
 * Files that a thread reads at any place, as the arithmetic sees them; who opens them is a matter of shells. Always: what was
 * written of a file does not change, and reading it may wait for the disk.
 */
export interface ByteFile {
  /** Fills `length` bytes of `into` from its place `at` on. @throws when the file has them not */
  read(offset: number, into: Uint8Array, at: number, length: number): void;
  close(): void;
}

export interface ByteFileWriter {
  append(bytes: Uint8Array): void;
  /** Everything is on stable storage when it returns. */
  finish(): FileDigest;
  /** Takes away what was written. */
  abandon(): void;
}

export interface FileDigest {
  readonly bytes: number;
  /** CRC-32 of each MiB. */
  readonly crcs: readonly number[];
}

/** By number. */
export interface ByteFiles {
  open(file: number): ByteFile;
  create(file: number): ByteFileWriter;
}
