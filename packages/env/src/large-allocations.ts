/**
 * Where glibc puts large blocks: bodies of requests and batches of rows are megabytes, and by default, once one was freed, the next ones
 * come out of its heaps, where what lives between them keeps the pages. Always: afterwards a large block is a mapping of its own,
 * which the system has back when it is freed.
 */

/** mallopt(3): a threshold that was set is no longer raised by what is freed. */
const mapThresholdOption = -3;
const mapThresholdBytes = 1 << 20;

/** Once in a process, early. Where there is no glibc nothing is done. */
export async function mapLargeAllocations(): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    const { default: koffi } = await import('koffi');
    koffi.load('libc.so.6').func('int mallopt(int, int)')(mapThresholdOption, mapThresholdBytes);
  } catch {
    // Another libc, or a platform that koffi has no binary for.
  }
}
