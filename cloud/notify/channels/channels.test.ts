import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InvalidInput } from '../../../core/problems.ts';
import { parseCloud } from '../../config.ts';
import { channelKinds } from './channels.ts';

const read = (name: string) =>
  readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
const examplesOf = (text: string) =>
  [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, example]) => example!);
const page = read('channels.md');

const secretOf = (_kind: string, name: string) =>
  name === 'desk' ? 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' : `secret ${name}`;

const indented = (text: string, by: number) => text.replaceAll(/^(?=.)/gm, ' '.repeat(by));

const ownOr = (example: string) =>
  example.includes('receivers:') ? '' : '  receivers: [{ id: desk, kind: log }]\n';

/** As a whole file: receivers by themselves, or the parts of `cloud` that are shown. */
function fileOf(example: string): string {
  const parts = example.startsWith('-')
    ? `  broker: {}\n  notify:\n    routes: []\n    receivers:\n${indented(example, 6)}`
    : indented(example.replace('notify:\n', `notify:\n  routes: []\n${ownOr(example)}`), 2);
  const broker = parts.includes('broker:') ? '' : '  broker: {}\n';
  return `version: 1\ncloud:\n  folder: data\n${broker}${parts}`;
}

test('every example of the page of channels is a file that the cloud takes', () => {
  const wrong: string[] = [];
  const kinds = new Set<string>();
  for (const example of examplesOf(page)) {
    try {
      const { notify } = parseCloud(fileOf(example), 'channels.md', '/srv', secretOf);
      for (const { kind } of notify.receivers) kinds.add(kind);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      wrong.push(error.message, example);
    }
  }
  expect(wrong).toEqual([]);
  expect(kinds.size).toBeGreaterThan(6);
});

test('every example of the page of notifications is a file that the cloud takes', () => {
  const examples = examplesOf(read('notifications.md'));
  for (const example of examples) {
    const text = `version: 1\n${example.replace('cloud:\n', 'cloud:\n  folder: d\n  broker: {}\n')}`;
    const { notify } = parseCloud(text, 'notifications.md', '/srv', secretOf);
    expect(notify.rosters.map(({ id }) => id)).toEqual(['gas-duty']);
  }
  expect(examples).toHaveLength(1);
});

test('the page of channels has a section for every kind', () => {
  const sections = [...page.matchAll(/^## (.+)$/gm)].flatMap(([, title]) => title!.split(', '));
  for (const { kind } of channelKinds) {
    if (kind === 'log') continue;
    expect(sections).toContain(kind);
  }
});

test('no quota reserves more than it has', () => {
  for (const { kind, quotas } of channelKinds) {
    for (const { messages, reserve } of quotas) expect(reserve, kind).toBeLessThan(messages);
  }
});
