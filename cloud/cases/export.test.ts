import { expect, test } from 'vitest';
import { stageRows } from './export.ts';
import type { Case, CaseStep } from './tables.ts';

const step = (state: CaseStep['state'], at: number, more: Partial<CaseStep> = {}): CaseStep => ({
  ...{ state, enteredMs: at, by: 'li', from: '', owner: 'li', department: 'gas company' },
  ...{ dueMs: at + 60, leftMs: at + 10, leftBy: 'li', escalation: 0 },
  ...more,
});

test('each person is named once a step: of two who ended it both, who sent a crew, no machine', () => {
  const found: Case = {
    ...{ id: '2026-0001', number: 1, revision: 7, changedBy: 'zhang, li', changedMs: 50 },
    ...{ state: 'closed', level: 1, title: { en: '', zh: '' }, name: { en: '', zh: '' } },
    ...{ area: '', gateway: 'gw-1', asset: null, subject: 'gw-1/d/p/high', owner: 'zhang' },
    ...{ department: 'gas company', openedMs: 0, endedMs: 50, reason: '', mergedInto: null },
    ...{ escalation: 0, escalations: 0 },
    steps: [
      step('new', 0),
      step('dispatched', 10, { owner: 'zhang', leftBy: 'lifeline' }),
      step('new', 20, { owner: 'zhang' }),
      step('dispatched', 30, { owner: 'zhang', leftBy: 'zhang', resumed: true }),
      step('contained', 40, { owner: 'zhang', leftBy: 'zhang, li' }),
    ],
  };
  const sent = ['wu', 'li'].map((by) => ({ kind: 'dispatch' as const, by }));
  const rows = stageRows(found, sent, 50);
  expect(rows.map(({ stage, persons }) => [stage, ...persons])).toEqual([
    ['registration', 'li', 'zhang'],
    ['dispatch', 'wu', 'li', 'zhang'],
    ['handling'],
    ['verification', 'zhang', 'li'],
    ['closing', 'zhang', 'li'],
  ]);
  // A step that goes on after it was interrupted has one limit, and the time of both stays.
  expect(rows[1]).toMatchObject({ tookMs: 20, limitMs: 60, isOverdue: false });
});
