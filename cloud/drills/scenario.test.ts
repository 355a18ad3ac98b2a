import { expect, test } from 'vitest';
import { InvalidInput } from '../../core/problems.ts';
import { readScenario } from './scenario.ts';

const head = `version: 1
drill:
  title: { en: Leak at the harbour, zh: 港口泄漏 }
  steps:
`;

function findings(steps: string): string[] {
  try {
    readScenario(head + steps, 'drill.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings.map(({ code, place }) => `${place?.line}:${place?.column} ${code}`);
  }
}

test('a step is a gateway and a level; the rest has defaults', () => {
  expect(findings('    - { gateway: gas-1, level: 1 }\n')).toEqual([]);
});

test('all that is wrong is told together, each at its place', () => {
  const steps = `    - { gateway: gas-1, level: 1, at: 25h, hold: 1s }
    - { gateway: gas-1, level: 2, hold: 31m }
    - { gateway: gas-1, level: 2, at: 10m }
`;
  expect(findings(steps)).toEqual([
    '5:39 drill-at',
    '5:50 drill-hold',
    '6:41 drill-hold',
    '7:7 drill-overlap',
  ]);
  expect(findings('    - { gateway: gas-1, level: 5 }\n')).toEqual(['5:32 not-a-level']);
  expect(findings('    - { gateway: gas-1 }\n')).toHaveLength(1);
});

test('the same point again is fine once it is down', () => {
  const again = (at: string) =>
    findings(
      `    - { gateway: g, level: 1, hold: 30s }\n    - { gateway: g, level: 1, at: ${at} }\n`,
    );
  expect(again('34s')).toEqual(['6:7 drill-overlap']);
  expect(again('35s')).toEqual([]);
});
