// The edge as gateways run it: emitted JavaScript, in a process that never saw TypeScript (what
// strips types stays in memory: 30 MB). `npm run build` makes dist/; the few files of the bench
// that run in that process are stripped and laid beside it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

export type Code = 'source' | 'emitted';

const here = import.meta.dirname;
const dist = join(here, '../dist');
const files = ['side.ts', 'gateway-file.ts', 'note-log.ts', 'sides/edge.ts'];

/** What is there: without a build, the source is measured, and the figure says so. */
export function codeToRun(): Code {
  return existsSync(join(dist, 'edge/agent.js')) ? 'emitted' : 'source';
}

/** What the systemd unit gives the runtime, so that what is measured is what runs on gateways. */
export function unitFlags(): string[] {
  const unit = readFileSync(join(here, '../deploy/lifeline-edge.service'), 'utf8');
  const [, flags = ''] = /^ExecStart=\S+node (.*?)\S+main\.js/m.exec(unit) ?? [];
  return flags.split(' ').filter(Boolean);
}

/** What it sets in the environment, with the state's folder elsewhere. */
export function unitEnvironment(state: string): Readonly<Record<string, string>> {
  const unit = readFileSync(join(here, '../deploy/lifeline-edge.service'), 'utf8');
  const set = [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)];
  const moved = (value: string) => value.replace('/var/lib/lifeline-edge', state);
  return Object.fromEntries(set.map(([, name = '', value = '']) => [name, moved(value)]));
}

/** Folder of the bench whose sides run that code. */
export function benchFolder(code: Code): string {
  if (code === 'source') return here;
  const folder = join(dist, 'bench');
  for (const file of files) {
    const path = join(folder, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(path), { recursive: true });
    const text = stripTypeScriptTypes(readFileSync(join(here, file), 'utf8'));
    writeFileSync(path, text.replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
  }
  return folder;
}
