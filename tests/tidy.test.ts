// The rules of CONTRIBUTING.md that a machine can hold. Each report reads `path:line: what, do this
// instead`.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ingestStates } from '../cloud/ingest/core.ts';
import { commandReasons, outcomes } from '../core/command.ts';
import type { FaultCode } from '../core/text/text.ts';
import { diskStates } from '../edge/outbox/batch.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const git = ['ls-files', '--cached', '--others', '--exclude-standard'];
const tracked = execFileSync('git', git, { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path && existsSync(join(root, path)));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const sources = tracked.filter((path) => path.endsWith('.ts'));
const isTest = (path: string) =>
  /\.(test|contract|fuzz|bench)\.ts$/.test(path) || /^(tests|bench)\//.test(path);
const shipped = sources.filter((path) => !isTest(path) && path.includes('/'));

// The import table of docs/architecture.md. The longest prefix that fits a path decides.
const may: Readonly<Record<string, readonly string[]>> = {
  core: [],
  'protocols/uplink': ['core'],
  protocols: ['core'],
  'device-profiles': ['core', 'protocols'],
  edge: ['core', 'protocols', 'protocols/uplink', 'device-profiles'],
  cloud: ['core', 'protocols/uplink'],
  simulators: ['core', 'protocols', 'device-profiles'],
  cli: ['core', 'protocols', 'protocols/uplink', 'device-profiles', 'edge', 'cloud', 'simulators'],
};

const area = (path: string): string =>
  path.startsWith('protocols/uplink/') ? 'protocols/uplink' : (path.split('/')[0] ?? '');

interface Import {
  readonly line: number;
  readonly target: string;
  readonly isType: boolean;
}

function importsOf(path: string): Import[] {
  const text = read(path);
  const pattern =
    /(?:^|\n)\s*(import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)/g;
  return [...text.matchAll(pattern)].map((match) => ({
    line: text.slice(0, (match.index ?? 0) + match[0].length).split('\n').length,
    target: match[3] ?? match[4] ?? '',
    isType: match[2] !== undefined,
  }));
}

const resolved = (path: string, target: string) => normalize(join(dirname(path), target));

// A person reads it in one of two languages: a sentence is a message of the catalogue.
test('the detail of a fault is a message of the catalogue, or names and numbers only', () => {
  const detail = /new (?:Fault\(\s*'\w+',\s*'\w+',|UsageError\()\s*(`[^`]*`|'[^']*')/g;
  const wrong: string[] = [];
  for (const path of shipped) {
    // Not yet told to a person in words: what these say stands in logs.
    if (/^(protocols\/|cloud\/store\/|edge\/collect\/|simulators\/line)/.test(path)) continue;
    const text = read(path);
    for (const match of text.matchAll(detail)) {
      const fixed = (match[1] ?? '').replaceAll(/\$\{[^}]*\}/g, '');
      if (!/(?:^|[^-\w])[a-z]{2,} [a-z]{2,}/.test(fixed)) continue;
      const line = text.slice(0, match.index).split('\n').length;
      wrong.push(`${path}:${line}: ${fixed}: use bilingual() with a key of core/text`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the page of failures names the states as the code does', () => {
  const page = read('docs/delivery.md');
  const states = [
    ...ingestStates.slice(1),
    ...diskStates.slice(1),
    'store_full' satisfies FaultCode,
  ];
  for (const state of states) expect(page).toContain(`\`${state}\``);
});

test('the page of commands tells every outcome and every reason, in the order of the code', () => {
  const told = [...read('docs/commands.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, word]) => word);
  expect(told).toEqual([...outcomes, ...commandReasons]);
});

test('imports point one way', () => {
  const wrong: string[] = [];
  for (const path of shipped) {
    const allowed = may[area(path)];
    if (!allowed) continue;
    for (const { target, line } of importsOf(path)) {
      if (!target.startsWith('.')) continue;
      const to = area(resolved(path, target));
      if (to !== area(path) && !allowed.includes(to)) {
        wrong.push(
          `${path}:${line}: ${area(path)} imports ${to}; see the table in docs/architecture.md`,
        );
      }
    }
  }
  expect(wrong).toEqual([]);
});

// Sockets, files, serial ports and databases live only where the design puts them.
const ioModules =
  /^(node:(fs|fs\/promises|net|tls|dgram|http|https|sqlite|child_process|worker_threads)|mqtt|aedes|serialport|fastify|@duckdb\/.*|pino)$/;
const ioPlaces = [
  /^edge\/(links|outbox|uplink|config|status|commission)/,
  /^cloud\/(broker|ingest|inbox|store|registry|notify|api|config)/,
  // The durable record of commands, in a thread of its own.
  /^edge\/commands\/(ledger|thread|worker)\.ts$/,
  /^device-profiles\/loader\.ts$/,
  /^(cli|simulators)\//,
  /^protocols\/opcua\/driver\.ts$/,
  // The photos and files of cases, beside the rest of their folder, which has no files.
  /^cloud\/cases\/attachments\.ts$/,
];

test('sockets, files and databases are touched only where the design puts them', () => {
  const wrong = shipped.flatMap((path) =>
    ioPlaces.some((place) => place.test(path))
      ? []
      : importsOf(path)
          .filter(({ target, isType }) => ioModules.test(target) && !isType)
          .map(
            ({ target, line }) => `${path}:${line}: imports ${target}; move the I/O to its place`,
          ),
  );
  expect(wrong).toEqual([]);
});

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly homes: RegExp;
}

const clockHomes = /^(core\/(clock|random)\.ts|cli\/|simulators\/|scripts\/)/;
const bans: readonly Ban[] = [
  { pattern: /\bDate\.now\(|performance\.now\(/, instead: 'take a Clock', homes: clockHomes },
  { pattern: /\bset(Timeout|Interval)\(/, instead: 'use Clock.after or sleep', homes: clockHomes },
  { pattern: /AbortSignal\.timeout\(/, instead: 'use a Clock', homes: clockHomes },
  {
    pattern: /Math\.random\(|randomUUID\(|randomBytes\(/,
    instead: 'take a Random',
    homes: clockHomes,
  },
  { pattern: /\bconsole\./, instead: 'take a Log; print in cli', homes: /^cli\// },
  { pattern: /throw new Error\(/, instead: 'throw a Fault or assert', homes: /^core\/fault\.ts$/ },
  { pattern: /\bas any\b|@ts-ignore|@ts-expect-error|: any\b/, instead: 'type it', homes: /^$/ },
  { pattern: /^\s*(export\s+)?(const\s+)?enum\s/, instead: 'use a list `as const`', homes: /^$/ },
  { pattern: /export default/, instead: 'name it', homes: /^$/ },
  { pattern: /\b(FIXME|TODO|XXX)\b/, instead: 'do it, or write it into docs', homes: /^$/ },
  { pattern: /catch(\s*\([^)]*\))?\s*\{\s*\}/, instead: 'handle, count or rethrow', homes: /^$/ },
];

test('nothing banned is in the shipped code', () => {
  const wrong: string[] = [];
  for (const path of shipped) {
    const lines = read(path).split('\n');
    for (const { pattern, instead, homes } of bans) {
      if (homes.test(path)) continue;
      lines.forEach((text, at) => {
        if (!/^\s*(\/\/|\/?\*)/.test(text) && pattern.test(text)) {
          wrong.push(`${path}:${at + 1}: ${text.trim().slice(0, 60)}; ${instead}`);
        }
      });
    }
  }
  expect(wrong).toEqual([]);
});

test('no test is left out or run alone', () => {
  const pattern = /\b(it|test|describe)\.(only|skip|todo)\(/;
  const wrong = sources.filter((path) => path !== 'tests/tidy.test.ts' && pattern.test(read(path)));
  expect(wrong).toEqual([]);
});

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const LINE_LENGTH_MAX = 100;

test('files, functions and lines keep their size', () => {
  const wrong: string[] = [];
  for (const path of shipped) {
    if (path.startsWith('core/text/')) continue; // A catalogue is a table.
    const lines = read(path).split('\n');
    if (lines.length > FILE_LINES_MAX) wrong.push(`${path}: ${lines.length} lines; split by noun`);
    lines.forEach((text, at) => {
      if ([...text].length > LINE_LENGTH_MAX && !/https?:|^import|[`'"]/.test(text)) {
        wrong.push(`${path}:${at + 1}: ${text.length} columns; break it`);
      }
    });
    for (const { start, length } of longFunctions(lines)) {
      wrong.push(
        `${path}:${start}: function of ${length} lines; cut it, or say \`// long because …\``,
      );
    }
  }
  expect(wrong).toEqual([]);
});

// By indentation, as the formatter lays it out: a function starts at a line that opens a block and
// ends at the first line with the same indentation that closes it.
function longFunctions(lines: readonly string[]): { start: number; length: number }[] {
  const found: { start: number; length: number }[] = [];
  const opens =
    /^(\s*)(export\s+)?(async\s+)?(function\b|(#?[\w]+|\[[\w.]+\])\(.*\).*\{$|(static|get|set|private)\s.*\{$).*$/;
  lines.forEach((text, at) => {
    const match = opens.exec(text);
    if (!match || /^\s*(if|for|while|switch|catch|return|test|describe)\b/.test(text)) return;
    const end = lines.findIndex((line, index) => index > at && line === `${match[1]}}`);
    const near = lines.slice(Math.max(0, at - 2), at + 3).join('\n');
    if (end - at > FUNCTION_LINES_MAX && !near.includes('// long because')) {
      found.push({ start: at + 1, length: end - at });
    }
  });
  return found;
}

test('file names are nouns in lower case with dashes', () => {
  const banned = /^(utils?|helpers?|types?|index|manager|common|misc)$/;
  const wrong = sources.filter((path) => {
    const name = path
      .split('/')
      .at(-1)!
      .replace(/(\.\w+)?\.ts$/, '')
      .replace(/\.net$/, '');
    return !/^[a-z0-9-]+$/.test(name.replace(/\.\w+$/, '')) || banned.test(name);
  });
  expect(wrong).toEqual([]);
});

test('every source file is reachable from the command line, a test or a bench', () => {
  const roots = sources.filter(
    (path) => isTest(path) || path === 'cli/main.ts' || /\/(thread|worker)\.ts$/.test(path),
  );
  const seen = new Set<string>();
  const queue = [...roots];
  for (let path = queue.pop(); path; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const { target } of importsOf(path)) {
      if (target.startsWith('.')) queue.push(resolved(path, target));
    }
    for (const [, target] of read(path).matchAll(/new URL\('([^']+\.ts)', import\.meta\.url\)/g)) {
      queue.push(resolved(path, target!));
    }
  }
  expect(sources.filter((path) => path.includes('/') && !seen.has(path))).toEqual([]);
});

test('every dependency has a keeper: a line in docs/dependencies.md and one importing file a folder', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const all = { ...manifest['dependencies'], ...manifest['devDependencies'] };
  const keepers = read('docs/dependencies.md');
  const wrong = Object.keys({ ...all, ...manifest['optionalDependencies'] })
    .filter((name) => !keepers.includes(`\`${name}\``))
    .map((name) => `package.json: ${name} has no line in docs/dependencies.md`);
  for (const version of Object.values(all)) {
    if (!/^\d/.test(version)) wrong.push(`package.json: ${version} is not an exact pin`);
  }
  for (const name of Object.keys(manifest['dependencies'] ?? {})) {
    if (name === 'zod') continue; // The schema library is imported by schema files.
    const byFolder = new Map<string, string[]>();
    for (const path of shipped) {
      if (!importsOf(path).some(({ target }) => target === name)) continue;
      byFolder.set(area(path), [...(byFolder.get(area(path)) ?? []), path]);
    }
    for (const paths of byFolder.values()) {
      if (paths.length > 1)
        wrong.push(`${name} is imported by ${paths.join(' and ')}; keep it in one`);
    }
  }
  expect(wrong).toEqual([]);
});

test('paths and commands named in documents exist', () => {
  const manifest = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const wrong: string[] = [];
  for (const path of tracked.filter((name) => name.endsWith('.md'))) {
    read(path)
      .split('\n')
      .forEach((text, at) => {
        for (const [, script] of text.matchAll(/`npm run ([\w:-]+)/g)) {
          if (!manifest.scripts[script!])
            wrong.push(`${path}:${at + 1}: npm run ${script} does not exist`);
        }
        for (const [, target] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
          if (!existsSync(join(root, dirname(path), target!)))
            wrong.push(`${path}:${at + 1}: no ${target}`);
        }
        const named =
          /`((?:core|protocols|device-profiles|edge|cloud|simulators|cli|tests|bench|docs|deploy|examples|scripts)\/[\w./-]+)`/g;
        for (const [, target] of text.matchAll(named)) {
          if (!existsSync(join(root, target!))) wrong.push(`${path}:${at + 1}: no ${target}`);
        }
      });
  }
  expect(wrong).toEqual([]);
});

test('nothing in the project refers outside it', () => {
  const wrong = tracked.filter(
    (path) =>
      path !== 'tests/tidy.test.ts' &&
      /\.(ts|mjs|md|ya?ml|json|proto)$/.test(path) &&
      /\.\.\/shared\b|\/work\/|\/root\//.test(read(path)),
  );
  expect(wrong).toEqual([]);
  expect(relative(root, root)).toBe('');
});
