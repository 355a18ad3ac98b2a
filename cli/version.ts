import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Verb } from './verb.ts';

/** The version in package.json, from source and from emitted JavaScript alike. */
export function versionText(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let depth = 0; depth < 3; depth++) {
    folder = dirname(folder);
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (manifest.name === 'lifeline') return String(manifest.version);
    } catch (error) {
      // No manifest at this level: look one higher.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}

export const verbs: Readonly<Record<string, Verb>> = {
  '': {
    usage: '',
    summary: { en: 'version of Lifeline and its runtime', zh: '显示 Lifeline 及运行时版本' },
    run: async (_given, output) => {
      const version = { lifeline: versionText(), node: process.version, arch: process.arch };
      output.print(
        output.json
          ? JSON.stringify(version)
          : `lifeline ${version.lifeline} (node ${version.node}, ${version.arch})`,
      );
      return 0;
    },
  },
};
