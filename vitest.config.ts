import { defineConfig } from 'vitest/config';

// CI reads the true totals from a JSON report a run: one file for each project asked for.
const reportFolder = process.env['QUIVER_TEST_REPORT'];
const project = process.argv[process.argv.indexOf('--project') + 1] ?? 'all';

export default defineConfig({
  test: {
    ...(reportFolder === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: `${reportFolder}/${project}.json` } }),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/**/*.test.ts', 'test/{tidy,lincheck,nemesis/proxy}/**/*.test.ts'],
          testTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/{contract,system,ecosystem,sim}/**/*.test.ts', 'test/nemesis/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 1,
        },
      },
      {
        // Needs a container engine and Helm, which it installs and starts where it may: not a part of `npm test`.
        test: {
          name: 'packaging',
          include: ['test/packaging/**/*.test.ts'],
          globalSetup: ['test/packaging/global-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});
