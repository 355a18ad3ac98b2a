#!/usr/bin/env node
// Starts the command on the runtime the lockfile pins, whatever Node the shell has: from emitted JavaScript
// where it was built, else from source.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'dist', 'cli', 'main.js');
const entry =
  existsSync(built) && !existsSync(join(root, '.git')) ? built : join(root, 'cli', 'main.ts');
const pinned = join(root, 'node_modules', '.bin', 'node');
const runtime = existsSync(pinned) ? pinned : process.execPath;
const child = spawn(runtime, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
// Ctrl-C reaches the command too, SIGTERM only this process; the command decides when to end, and this process ends
// with it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (status, signal) => {
  process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1);
});
