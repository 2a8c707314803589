/** Files in memory, for tests; checksums are somebody else's. */
import type { ByteFiles } from '@quiver/kernel';

export function createMemoryFiles(): ByteFiles {
  const files = new Map<number, Uint8Array[]>();
  return {
    open: (file) => ({
      read(offset, into, at, length) {
        const pieces = files.get(file)!;
        const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
        if (offset + length > bytes.length) throw new Error(`file ${file} has ${bytes.length} bytes`);
        into.set(bytes.subarray(offset, offset + length), at);
      },
      close: () => undefined,
    }),
    create(file) {
      const pieces: Uint8Array[] = [];
      files.set(file, pieces);
      return {
        append: (bytes) => void pieces.push(bytes.slice()),
        finish() {
          const whole = Buffer.concat(pieces);
          pieces.splice(0, pieces.length, whole);
          return { bytes: whole.length, crcs: [] };
        },
        abandon: () => void files.delete(file),
      };
    },
  };
}
