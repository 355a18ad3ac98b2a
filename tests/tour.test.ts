import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const text = readFileSync(join(root, 'docs', 'architecture.md'), 'utf8');
const [, tour = ''] = /## One reading[^\n]*\n([\s\S]*?)\n## /.exec(text) ?? [];
const files = [...tour.matchAll(/`([\w/.-]+\.ts)`/g)].map(([, path]) => path!);

// Stations of the path, as the drawing on the same page has them.
const stations = [
  'collect',
  'seal',
  'outbox',
  'uplink',
  'ingest',
  'inbox',
  'store',
  'alarms',
  'notify',
];

test('the tour passes at most 14 files, all there, in the order of the path', () => {
  expect(files.length).toBeGreaterThan(8);
  expect(files.length).toBeLessThanOrEqual(14);
  for (const path of files) expect(existsSync(join(root, path)), path).toBe(true);
  const places = stations.map((station) => files.findIndex((path) => path.includes(station)));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places).not.toContain(-1);
});

test('each stop of the tour says in its own words what it does', () => {
  for (const path of files) {
    expect(readFileSync(join(root, path), 'utf8'), path).toMatch(/^\/\/ \S/);
  }
});
