import { expect, test } from 'vitest';
import { OVER } from '../cloud/notify/channels/command.ts';
import { MERGED, UNCONFIRMED, UNTOLD } from '../cloud/notify/plan.ts';
import { NOBODY_ON_DUTY } from '../cloud/notify/roster.ts';
import { whyText } from './delivery-why.ts';

test('what the ledger says of its own accord is said in both languages; a provider’s words stay', () => {
  for (const why of [NOBODY_ON_DUTY, UNTOLD, UNCONFIRMED, MERGED, OVER]) {
    expect(whyText(why, 'en')).toBe(why);
    expect(whyText(why, 'zh'), why).toMatch(/[\u4e00-\u9fff]/);
  }
  expect(whyText('silenced by li: valve: new', 'zh')).toBe('由 li 设为静默：valve: new');
  expect(whyText('http 503', 'zh')).toBe('http 503');
  expect(whyText('toString', 'zh')).toBe('toString');
});
