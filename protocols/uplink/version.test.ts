import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { kindNames, kinds, topicOf } from './topics.ts';
import { history, LEAST_READER_VERSION, READER_VERSION, WIRE_VERSION } from './version.ts';

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

// Red? The wire changed. Can yesterday's cloud read today's edge? Decide the version, add a golden
// message, then write the new hash into the history.
test('the wire contract changes only on purpose', () => {
  const schema = createHash('sha256').update(read('lifeline.proto')).digest('hex').slice(0, 16);
  const newest = history.at(-1);
  expect([newest?.version, newest?.schema]).toEqual([WIRE_VERSION, schema]);
});

test('a writer never asks for more than its own reader understands', () => {
  expect(LEAST_READER_VERSION).toBeLessThanOrEqual(READER_VERSION);
  expect(READER_VERSION).toBeLessThanOrEqual(WIRE_VERSION);
  expect(history.map(({ version }) => version)).toEqual(history.map((_, at) => at + 1));
  expect(topicOf('a', 'b', 'live').split('/')[1]).toBe(`v${WIRE_VERSION}`);
});

test('the table of topics in the README is that of the code', () => {
  const rows = kindNames.map((kind) => {
    const { way, qos, retain } = kinds[kind];
    return `| \`${kind}\` | ${way} | ${qos} | ${retain ? 'yes' : 'no'} |`;
  });
  const table = ['| kind | way | QoS | retained |', '|---|---|---|---|', ...rows].join('\n');
  expect(read('README.md')).toContain(table);
});

test('the limits in the README are those of the code', async () => {
  const sources = await Promise.all([
    import('./topics.ts'),
    import('./body.ts'),
    import('./columns.ts'),
    import('./dictionary.ts'),
    import('./control.ts'),
    import('./wire-words.ts'),
    import('../../core/command.ts'),
  ]);
  const constants = Object.assign({}, ...sources) as Record<string, unknown>;
  const rows = [...read('README.md').matchAll(/^\| `([A-Z_]+)` \| ([\d,]+) \|/gm)];
  expect(rows.length).toBeGreaterThan(15);
  for (const [, name, value] of rows) {
    expect([name, Number(value!.replaceAll(',', ''))]).toEqual([name, constants[name!]]);
  }
});
