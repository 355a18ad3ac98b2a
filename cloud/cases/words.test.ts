import { expect, test } from 'vitest';
import { bilingual } from '../../core/text/text.ts';
import { caseStates } from './case.ts';
import { detailWords, measured } from './words.ts';

test('what a log line says beside its kind has a name in each language, and states have theirs', () => {
  const said = (detail: Record<string, string>) =>
    detailWords(detail).map(({ label, value }) => `${label.zh}: ${value.zh}`);
  expect(said({ state: 'new', escalation: '1', owner: '' })).toEqual([
    '状态: 待确认',
    '上报次数: 1',
  ]);
  expect(said({ as: 'close', asked_by: 'li', level: '2' })).toEqual([
    '终结方式: 已结案',
    '申请人: li',
    '级别: II',
  ]);
  expect(said({ later: 'x' })).toEqual(['later: x']);
  for (const state of caseStates) expect(said({ state })[0]).not.toContain(state);
  expect(bilingual('case-detail-crew').zh).toMatch(/[\u4e00-\u9fff]/);
});

test('a value is shown with the sign of its unit and no more digits than a sensor has', () => {
  const gas = { value: 47.74823760986328, limit: 25, unit: '%{LEL}' };
  expect(measured(gas)).toBe('47.7482 %LEL (25)');
  expect(measured({ ...gas, value: null })).toBe('(25)');
  expect(measured({ value: null, limit: null, unit: '1' })).toBe('');
});
