// The examples of docs/alarm-rules.md, run through the checker as they stand.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderFinding } from '../problems.ts';
import type { KnownPoint } from './rule-file.ts';
import { readRuleFile } from './rule-file.ts';
import { ruleKinds } from './rule-form.ts';

const page = readFileSync(new URL('../../docs/alarm-rules.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);

const how = { periodMs: 2_000, class: 'trend', name: { en: 'x', zh: '某' } } as const;
const flow = { ...how, gateway: 'gw-1', type: 'number', unit: 'm3/h', range: [0, 500] } as const;
const points: readonly KnownPoint[] = [
  { ...flow, device: 'ch4-01', point: 'ch4', unit: '%{LEL}', range: [0, 100] },
  { ...flow, device: 'pump', point: 'flow' },
  { ...flow, device: 'outlet', point: 'flow' },
  { ...flow, device: 'pump', point: 'mode', type: 'integer', unit: '1', range: [0, 3] },
];

test('every example of the page is right, and every kind but the baseline is among them', () => {
  const kinds = examples.flatMap((text) => {
    const { rules, problems } = readRuleFile(text, 'page', { points, inForce: () => [] });
    expect(problems.findings.map((finding) => renderFinding(finding, 'en'))).toEqual([]);
    return rules.map(({ rule }) => rule.kind);
  });
  const all = Object.keys(ruleKinds).filter((kind) => kind !== 'deviation');
  expect([...new Set(kinds)].sort()).toEqual(all.sort());
  for (const kind of Object.keys(ruleKinds)) expect(page).toContain(`| \`${kind}\` |`);
});
