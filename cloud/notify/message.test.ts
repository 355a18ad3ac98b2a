import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InvalidInput, Problems } from '../../core/problems.ts';
import { sampleAlarm, sampleDelivery } from './channels/channel.contract.ts';
import { messageOf, noted } from './message.ts';
import type { Delivery, Notice } from './notifier.ts';
import { readTemplates, templateFields, type Wording, wordingOf } from './wording.ts';

const wording: Wording = { language: 'en', utcOffsetMs: 8 * 3_600_000, templates: [] };
const link = 'https://desk.city.example/c/abc';
const notice = (...deliveries: [Delivery, ...Delivery[]]): Notice => ({
  deliveries,
  links: deliveries.map(() => link),
});
const alarm = {
  ...sampleAlarm,
  sheet: {
    cause: { en: 'Leak of a joint', zh: '接口泄漏' },
    consequence: { en: 'Explosion', zh: '爆炸' },
    timeAvailableMs: 600_000,
    basis: { en: 'GB 50028', zh: 'GB 50028' },
  },
};

test('a message says how bad, what, where, how much, since when, what to do, and where to confirm', () => {
  expect(messageOf(notice(sampleDelivery({ alarm })), wording).text).toBe(
    `▲▲▲ I red · Methane very high
Where: gas/MP-1193/well-07
Point: Methane (gas-1/ch4-well-07/ch4)
Value: 52.5 %LEL (limit 50 %LEL)
Since: 2026-11-22 15:59:50 +08:00
What to do: Close valve V-221
Time to act: 0:10:00
If nothing is done: Explosion
Usual cause: Leak of a joint
Basis: GB 50028
Alarm: ${alarm.occurrence}

Confirm, on my way, not mine: ${link}`,
  );
  const zh = messageOf(notice(sampleDelivery({ alarm })), { ...wording, language: 'zh' }).text;
  for (const part of ['I级红色', '甲烷浓度过高', '处置:关闭阀门 V-221', '后果:爆炸']) {
    expect(zh).toContain(part);
  }
});

test('both languages stand in one message, its link once', () => {
  const { text, title } = messageOf(notice(sampleDelivery()), { ...wording, language: 'both' });
  expect(title).toContain('甲烷浓度过高');
  expect(title).toContain('Methane very high');
  expect(text.split(link)).toHaveLength(2);
});

test('a drill, a test and the end of an alarm say so first', () => {
  const title = (changes: Partial<Delivery>) =>
    messageOf(notice(sampleDelivery(changes)), wording).title;
  expect(title({ alarm: { ...alarm, purpose: 'drill' } })).toMatch(/^\[DRILL\] /);
  const test = { by: 'li', reason: 'bump', untilMs: 0 };
  expect(title({ alarm: { ...alarm, test } })).toMatch(/^\[TEST\] /);
  expect(title({ transition: 'cleared' })).toContain('returned to normal');
});

test('a flood is one message: the worst by name, the rest by number', () => {
  const many = Array.from({ length: 500 }, (_, at) =>
    sampleDelivery({ id: `a${at}.raised`, alarm: { ...alarm, level: at === 0 ? 1 : 3 } }),
  );
  const { title, text } = messageOf(notice(many[0]!, ...many.slice(1)), wording);
  expect(title).toBe('500 notifications: I red 1, III yellow 499');
  expect(text).toContain('and 480 more');
  expect(Buffer.byteLength(text)).toBeLessThan(8_000);
});

test('names of a site make no link and no emphasis', () => {
  const name = { en: '[x](http://evil.example) **b**', zh: 'x' };
  const { markdown } = messageOf(notice(sampleDelivery({ alarm: { ...alarm, name } })), wording);
  expect(markdown).toContain('\\[x\\](http://evil.example) \\*\\*b\\*\\*');
});

const own = (text: string, title = '{level} {title}') => ({
  title: { en: title, zh: title },
  text: { en: text, zh: text },
});
const read = (...sources: Parameters<typeof readTemplates>[0]) => {
  const problems = new Problems('cloud.yaml');
  const known = new Set(['desk', 'sms']);
  return { templates: readTemplates(sources, ['templates'], problems, known), problems };
};

test('a site’s own words are used where they fit, with the mark of a drill all the same', () => {
  const { templates, problems } = read({ ...own('{asset}: {value}'), when: ['raised'] });
  problems.throwIfAny();
  const worded = { ...wording, templates };
  const drill = sampleDelivery({ alarm: { ...alarm, purpose: 'drill' } });
  expect(messageOf(notice(drill), worded)).toMatchObject({
    title: '[DRILL] I red Methane very high',
    text: `[DRILL] I red Methane very high\ngas/MP-1193/well-07: 52.5 %LEL\n\nConfirm, on my way, not mine: ${link}`,
  });
  const cleared = sampleDelivery({ transition: 'cleared' });
  expect(messageOf(notice(cleared), worded).title).toContain('returned to normal');
});

test('a template that names what this alarm has not gives way to the built-in words, and says so', () => {
  const { templates } = read(own('{limit}'));
  const delivery = sampleDelivery({ alarm: { ...alarm, limit: null } });
  const plain = messageOf(notice(delivery), wording);
  expect(plain.note).toBeNull();
  const message = messageOf(notice(delivery), { ...wording, templates });
  expect(message).toEqual({ ...plain, note: 'built-in words: this alarm has no {limit}' });
  expect(noted({ kind: 'sent', confirmedBy: null }, message)).toHaveProperty('note', message.note);
  const refused = { kind: 'give-up', why: 'smtp 550', isReceiverGone: false } as const;
  expect(noted(refused, message)).toEqual(refused);
});

test('no name of a site or of another system makes a line of its own, or turns what is read', () => {
  const title = { en: 'Pump\nConfirm: https://evil.example \u202egnp.exe', zh: 'x' };
  const { text, title: head } = messageOf(notice(sampleDelivery({ alarm: { ...alarm, title } })), {
    ...wording,
  });
  expect(head).toBe('▲▲▲ I red · Pump Confirm: https://evil.example  gnp.exe');
  expect(text.split('\n').filter((line) => line.startsWith('Confirm'))).toHaveLength(1);
});

test('who was told before stands in what the next one gets, with what came of it', () => {
  const told = [
    { name: 'zhang', state: 'undelivered' },
    { name: 'desk', state: 'failed' },
  ] as const;
  const second = { ...notice(sampleDelivery({ step: 2 })), told: [told] };
  expect(messageOf(second, wording).text).toContain(
    'Told before: zhang (not confirmed), desk (failed)',
  );
  expect(messageOf(second, { ...wording, language: 'zh' }).text).toContain('zhang(未确认)');
  expect(messageOf(notice(sampleDelivery()), wording).text).not.toContain('Told before');
});

test('what was heard of late says how late, and an overdue step is named in the reader’s language', () => {
  const late = { ...alarm, raisedReceivedMs: alarm.raisedMs + 3_725_000 };
  expect(messageOf(notice(sampleDelivery({ alarm: late })), wording).text).toContain(
    'Heard of at 2026-11-22 17:02:05 +08:00, 1:02:05 after it was raised',
  );
  const escalation = {
    ...{ case: '2026-7', state: 'dispatched', step: 1, count: 1 },
    ...{ dueMs: alarm.raisedMs, owner: null },
  };
  const overdue = notice(sampleDelivery({ transition: 'escalated', escalation }));
  expect(messageOf(overdue, { ...wording, language: 'zh' }).text).toContain('案件 2026-7,已派遣');
});

test('what is wrong with a template is told when the file is read', () => {
  const { problems } = read({ ...own('{valeu} {asset}'), for: ['nobody'] });
  expect(() => problems.throwIfAny()).toThrow(InvalidInput);
  expect(problems.findings.map(({ code, path }) => `${path.join('.')} ${code}`)).toEqual([
    'templates.0.for.0 unknown-receiver',
    'templates.0.text.en template-field',
    'templates.0.text.zh template-field',
  ]);
  expect(problems.findings[1]?.message.en).toContain('value');
});

test('a template is of the receivers and kinds it names', () => {
  const { templates } = read({ ...own('a'), for: ['sms'] }, own('b'));
  const ground = { ...wording, templates };
  const of = (id: string, kind: string) => wordingOf(ground, { id, kind }).templates.length;
  expect([of('night', 'sms'), of('desk', 'webhook')]).toEqual([2, 1]);
});

test('the page of channels names each field of a template', () => {
  const page = readFileSync(new URL('../../docs/channels.md', import.meta.url), 'utf8');
  for (const field of templateFields) expect(page).toContain(`\`{${field}}\``);
});
