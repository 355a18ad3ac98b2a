import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'data/**'],
    setupFiles: ['tests/seed.ts'],
    pool: 'forks',
    // One more than the cores there are at least: a third of the time tests wait for real servers.
    maxWorkers: 3,
    // A hang ends, and a disk that takes 5 ms for each of thousands of fsyncs does not.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
