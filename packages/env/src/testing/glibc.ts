/** Whether the process runs with glibc, whose calls some modules make by their names: where another libc is, these do nothing. */

const { header } = process.report.getReport() as {
  readonly header: { readonly glibcVersionRuntime?: string };
};

export const hasGlibc = header.glibcVersionRuntime !== undefined;
/** Behind the name of a test or suite that is skipped without it. */
export const withoutGlibc = '(skipped without glibc)';
