// The small C files of the bench, compiled where a compiler and what they need are installed.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '../tests/programs.ts';
import type { Bed } from './bench.ts';

/** Path of what was made; null, with a note, where something is missing. */
function compile(bed: Bed, source: string, flags: readonly string[], needs: string): string | null {
  const gcc = program('gcc');
  if (!gcc || !existsSync(needs)) {
    bed.note(`${source} cannot be compiled: gcc or ${needs} is not installed`);
    return null;
  }
  const binary = join(bed.folder, source.replace(/\.c$/, '.out'));
  execFileSync(gcc, ['-O2', '-o', binary, join(import.meta.dirname, source), ...flags]);
  return binary;
}

export function compileLibmodbusClient(bed: Bed): string | null {
  return compile(bed, 'libmodbus-client.c', ['-lmodbus'], '/usr/include/modbus/modbus.h');
}

/** To be preloaded. */
export function compileSlowFsync(bed: Bed): string | null {
  return compile(bed, 'slow-fsync.c', ['-shared', '-fPIC', '-ldl'], '/usr/include/dlfcn.h');
}
