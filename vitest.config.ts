import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'data/**'],
    setupFiles: ['tests/seed.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A hang ends, and a disk that takes 5 ms for each of thousands of fsyncs does not.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
