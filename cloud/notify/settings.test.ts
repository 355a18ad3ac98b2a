import { expect, test } from 'vitest';
import { readDocument } from '../../core/document.ts';
import { notifyForm, readNotify } from './settings.ts';

function read(text: string) {
  const { value, problems } = readDocument(text, 'notify.yaml', notifyForm);
  if (value && !problems.failed) {
    const ground = { readSecret: () => '', utcOffsetMs: 8 * 3_600_000 };
    return { settings: readNotify(value, [], problems, ground), problems };
  }
  return { settings: null, problems };
}

/** Each with the word it stands at. */
const findings = (text: string) =>
  read(text).problems.findings.map(({ place, code, severity }) => {
    const line = text.split('\n')[(place?.line ?? 1) - 1] ?? '';
    const [word] = line.slice((place?.column ?? 1) - 1).split(/[\s,}\]]/);
    return `${severity === 'warning' ? 'warning ' : ''}${code} at ${word}`;
  });

const good = `receivers:
  - { id: desk, kind: log }
  - { id: robot, kind: log }
people:
  - { id: wang, receivers: [robot] }
rosters:
  - id: duty
    shifts:
      - { who: wang }
    absences: []
routes:
  - { to: [desk] }
`;

/** The good file with one text in the place of another. */
const withText = (from: string, to: string) => {
  expect(good).toContain(from);
  return good.replace(from, to);
};

test('a file with people and rosters is read, and nothing is found in a good one', () => {
  expect(findings(good)).toEqual([]);
  const { settings } = read(
    withText(
      '{ to: [desk] }',
      '{ areas: [gas], kinds: [limit], to: [desk, { to: [wang, duty], by: log, wait: 5s }], repeat: { every: 5m } }',
    ),
  );
  expect(settings?.routes).toEqual([
    {
      id: 'route-1',
      match: { areas: ['gas'], kinds: ['limit'] },
      chain: [
        { targets: ['desk'], by: null, waitMs: 60_000 },
        { targets: ['wang', 'duty'], by: 'log', waitMs: 5_000 },
      ],
      repeatMs: 300_000,
    },
  ]);
  expect(settings?.rosters[0]?.utcOffsetMs).toBe(8 * 3_600_000);
});

test('whatever is not there, or twice, is found where it stands', () => {
  expect(findings(withText('to: [desk]', 'to: [night]'))).toEqual(['unknown-receiver at night']);
  expect(findings(withText('id: wang,', 'id: desk,'))).toEqual([
    'duplicate-id at desk',
    'unknown-person at wang',
  ]);
  expect(findings(withText('receivers: [robot]', 'receivers: [phone]'))).toEqual([
    'person-receiver at phone',
  ]);
  expect(findings(withText('to: [desk]', 'to: [{ to: wang, by: webhook }]'))).toEqual([
    'by-no-receiver at webhook',
  ]);
  expect(findings(withText('to: [desk]', 'to: [{ to: desk, by: log }]'))).toEqual([
    'by-without-person at desk',
  ]);
  expect(findings(withText('to: [desk]', 'to: [{ to: desk, wait: 2d }]'))).toEqual([
    'wait-range at 2d',
  ]);
});

test('times that are none, absences that end before they begin, and days beyond a cycle are found', () => {
  expect(findings(withText('{ who: wang }', '{ who: wang, from: "8:00" }'))).toEqual([
    'not-a-time-of-day at "8:00"',
  ]);
  const absent = (text: string) => withText('absences: []', `absences: [{ who: wang, ${text} }]`);
  expect(findings(absent('from: 2026-02-30, to: 2026-03-01'))).toEqual([
    'not-a-local-time at 2026-02-30',
  ]);
  expect(findings(absent('from: 2026-03-02, to: 2026-03-01'))).toEqual([
    'absence-order at 2026-03-01',
  ]);
  expect(findings(absent('from: 2026-03-01, to: 2026-03-01, substitute: wang'))).toEqual([
    'substitute-self at wang',
  ]);
  const cycle = '{ who: wang, cycle: { days: 4, from: 2026-11-23, on: [1, 2, 3, 5] } }';
  expect(findings(withText('{ who: wang }', cycle))).toContain('shift-beyond-cycle at 5');
});

test('a night that nobody has, and a shift that meets another one, are warnings', () => {
  expect(findings(withText('{ who: wang }', '{ who: wang, from: "08:00", to: "20:00" }'))).toEqual([
    'warning roster-gap at shifts:',
  ]);
  const [gap] = read(withText('{ who: wang }', '{ who: wang, from: "08:00", to: "20:00" }'))
    .problems.findings;
  expect(gap?.message.en).toContain('from mon 00:00 to mon 08:00');
  const both =
    '{ who: wang, from: "08:00", to: "08:00" }\n      - { who: wang, from: "06:00", to: "10:00" }';
  expect(findings(withText('{ who: wang }', both))).toContain('warning roster-overlap at {');
});

test('a quota that is all reserve is found', () => {
  const quota = 'quota: [{ messages: 5, per: 1m, reserve: 5 }]';
  expect(findings(withText('id: robot, kind: log', `id: robot, kind: log, ${quota}`))).toEqual([
    'quota-reserve at 5',
  ]);
});
