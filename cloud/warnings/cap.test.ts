import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alert, cancel, content, NOON_MS, update } from '../../tests/warned.ts';
import { capElements, found, lint, xmllint } from '../../tests/xml-lint.ts';
import { CAP_NAME, capXml, cut, HEADLINE_MAX, isSaid } from './cap.ts';
import { BEIJING_OFFSET_MS, capTime, type Message } from './warning.ts';

const golden = (name: string) =>
  readFileSync(new URL(`fixtures/${name}.xml`, import.meta.url), 'utf8');
const cap = (message: Message) => capXml(message, BEIJING_OFFSET_MS);

test('an Alert, an Update and a Cancel are written as the golden files have them', () => {
  expect(cap(alert)).toBe(golden('alert'));
  expect(cap(update)).toBe(golden('update'));
  expect(cap(cancel)).toBe(golden('cancel'));
});

test.skipIf(!xmllint)(
  'xmllint finds the element rules of CAP 1.2 kept, and finds a broken one',
  () => {
    for (const message of [alert, update, cancel]) expect(lint(cap(message), capElements)).toBe('');
    const swapped = cap(alert).replace(
      /(<urgency>.*?<\/urgency>)\s*(<severity>.*?<\/severity>)/,
      '$2$1',
    );
    expect(lint(swapped, capElements)).toContain('urgency');
    const zulu = cap(alert).replace('+08:00</sent>', 'Z</sent>');
    expect(lint(zulu, capElements)).toContain('sent');
  },
);

test('a restriction stands where the scope is Restricted, addresses where it is Private', () => {
  const restricted = cap(alert);
  expect(restricted).toContain('<restriction>gas operator and district office</restriction>');
  expect(restricted).not.toContain('addresses');
  const addresses = ['a@example.org', 'Duty desk'];
  const told = cap({ ...alert, scope: { kind: 'Private', addresses } });
  expect(told).toContain('<addresses>a@example.org "Duty desk"</addresses>');
  expect(told).not.toContain('restriction');
  expect(cap({ ...alert, scope: { kind: 'Public' } })).not.toMatch(/restriction|addresses/);
});

test('a Cancel names all before it, says AllClear in both languages and gives no instruction', () => {
  const told = cap(cancel);
  expect(told.match(/<responseType>AllClear</g)).toHaveLength(2);
  expect(told.match(/<responseType>/g)).toHaveLength(2);
  expect(told).not.toContain('<instruction>');
  expect(told).toContain(
    '<references>alarm.example.org,lifeline-20261122T040000-1-1,2026-11-22T12:00:00+08:00 ' +
      'alarm.example.org,lifeline-20261122T041000-1-2,2026-11-22T12:10:00+08:00</references>',
  );
});

test('a time has an offset, no Z and no fraction; UTC is -00:00', () => {
  expect(capTime(NOON_MS + 999, BEIJING_OFFSET_MS)).toBe('2026-11-22T12:00:00+08:00');
  expect(capTime(NOON_MS, 0)).toBe('2026-11-22T04:00:00-00:00');
  expect(capTime(NOON_MS, -3.5 * 3_600_000)).toBe('2026-11-22T00:30:00-03:30');
});

test('a headline is cut to what a telephone shows, between signs', () => {
  expect(cut('a\n b', 10)).toBe('a b');
  const long = cut('甲'.repeat(200), HEADLINE_MAX);
  expect([...long]).toHaveLength(HEADLINE_MAX);
  expect(long.endsWith('…')).toBe(true);
  expect(cut('😀'.repeat(161), HEADLINE_MAX).isWellFormed()).toBe(true);
});

test('a name of CAP has no blank, comma, < or &', () => {
  for (const name of ['alarm.example.org', '34010000100000_20261122120000_1']) {
    expect(name).toMatch(CAP_NAME);
  }
  for (const name of ['', 'a b', 'a,b', 'a<b', 'a&b', 'a\u0000b'])
    expect(name).not.toMatch(CAP_NAME);
});

test.skipIf(!xmllint)(
  'any text gives a document that is well formed, of the elements in their order',
  () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.constantFrom(
        '',
        ' ',
        '\u0000',
        '\ud800',
        '\udfff\ud800',
        ']]>',
        '<!--',
        '&amp;',
        '\ufffe\r\n',
      ),
    );
    const both = fc.record({ en: text, zh: text });
    const drawn = fc.record({
      ...{ event: both, headline: both, description: both, instruction: both, place: both },
      ...{ restriction: text, contact: text, value: text, note: both },
    });
    // Each is a process of some 40 ms.
    fc.assert(
      fc.property(drawn, (said) => {
        const { event, headline, description, instruction, place, note } = said;
        const message: Message = {
          ...{ ...alert, note, contact: said.contact },
          scope: { kind: 'Restricted', restriction: `r${said.restriction}` },
          content: {
            ...{ ...content, event, headline, description, instruction },
            parameters: [{ name: 'value', value: `v${said.value}` }],
            area: { ...content.area, text: place },
          },
        };
        expect(lint(cap(message), capElements)).toBe('');
      }),
      { numRuns: 40 },
    );
  },
);

test.skipIf(!xmllint)('what a text says comes back from a parser as it was', () => {
  const en = `a < b && "c" > 'd' ]]> <info>`;
  const message = { ...alert, content: { ...content, description: { zh: '甲 & 乙', en } } };
  expect(found(cap(message), '/alert/info[2]/description')).toBe(en);
  expect(found(cap(message), '/alert/info[1]/description')).toBe('甲 & 乙');
});

test('content is the same where people would be told the same, whatever was measured', () => {
  const later = { ...content, onsetMs: NOON_MS, headline: { en: '53', zh: '53' } };
  expect(isSaid(content, { ...later, parameters: [] })).toBe(true);
  expect(isSaid(content, { ...later, level: 1 })).toBe(false);
  expect(isSaid(content, { ...later, responses: ['Evacuate'] })).toBe(false);
});
