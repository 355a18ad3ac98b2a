import { expect, test } from 'vitest';
import { isFault } from '../../core/fault.ts';
import { li, settings, WarnedPlant, zhang } from '../../tests/warned-plant.ts';
import { capElements, lint, xmllint } from '../../tests/xml-lint.ts';
import { machine } from '../alarms/occurrences.ts';
import type { Signer } from './ebm.ts';
import { released, type WarningState, warningStates } from './warning.ts';
import { DRAFTS_MAX, RELEASE_WITHIN_MS } from './warnings.ts';

/** The fault's code and what it says, or what came instead. */
function refusal(work: () => unknown): string {
  try {
    return `not refused: ${JSON.stringify(work())}`;
  } catch (error) {
    if (isFault(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const signer: Signer = {
  name: 'test signer',
  certificate: { type: '01', issuer: 'TEST', number: '1' },
  ...{ digestAlgorithm: 'SM3', signatureAlgorithm: 'SM2', sign: () => new Uint8Array([1]) },
};
const broadcast = {
  ...{ resource: '434010400000001001', destination: '434010000000001001' },
  ...{ eventType: '12345', areas: ['340104000000'] },
};
const national = { division: '340104', organisation: '013', internal: '000', extension: '00' };

test('which message each state of a warning takes', () => {
  const table: Record<WarningState, string> = {
    ...{ drafted: 'Alert', released: 'Update Cancel', updated: 'Update Cancel' },
    ...{ cancelled: '', expired: '', dropped: '' },
  };
  for (const state of warningStates) {
    const takes = (['Alert', 'Update', 'Cancel'] as const).filter((type) => released(state, type));
    expect(takes.join(' '), state).toBe(table[state]);
  }
});

test('an alarm of the level is drafted by itself, and leaves when two people have released it', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  const [warning] = plant.all();
  expect(warning).toMatchObject({
    ...{ state: 'drafted', status: 'Actual', key: 'gw-1/d/p1', level: 2, told: 0 },
    draft: {
      ...{ type: 'Alert', by: machine.name },
      content: {
        ...{ categories: ['Fire'], responses: ['Avoid'], certainty: 'Observed' },
        event: { zh: '燃气泄漏' },
        headline: { en: 'Orange warning, well 1: Pressure high 15 bar' },
        description: { zh: '压力：压力过高。实测 15 bar。限值 10 bar。' },
      },
    },
  });
  expect(plant.warnings.tables.inForce(plant.nowMs)).toEqual([]);
  const asked = plant.warnings.release('wrn-1', 'gas on the street', li, plant.nowMs);
  expect(asked.waiting).toMatchObject({ by: 'li', what: 'wrn-1', reason: 'gas on the street' });
  // The same person again is still one person.
  expect(plant.warnings.release('wrn-1', 'gas', li, plant.nowMs).waiting).not.toBeNull();
  expect(refusal(() => plant.alarms.approve(asked.waiting!.id, true, li, plant.nowMs))).toMatch(
    /^approval_/,
  );
  expect(plant.warnings.find('wrn-1').told).toBe(0);
  const { warning: left } = plant.warnings.release('wrn-1', 'yes', zhang, plant.nowMs);
  expect(left).toMatchObject({ state: 'released', draft: null, told: 1 });
  const [told] = plant.warnings.tables.messages(1);
  expect(told).toMatchObject({
    ...{ drafter: machine.name, first: 'li', second: 'zhang', ebdId: null },
    message: { type: 'Alert', status: 'Actual', incident: 'cas-1', references: [] },
  });
  expect(plant.kinds('wrn-1')).toEqual([
    ...['warning-drafted', 'approval-asked', 'approval-given', 'warning-released'],
  ]);
});

test('an alarm that gets worse is an Update of the same warning, and its end a Cancel of all before', () => {
  const plant = new WarnedPlant({ worse: 1 });
  plant.set(15);
  plant.release('wrn-1');
  plant.set(25);
  expect(plant.all()).toHaveLength(1);
  const update = plant.warnings.find('wrn-1').draft!;
  expect(update).toMatchObject({ type: 'Update', by: machine.name, content: { level: 1 } });
  plant.wait(60_000);
  plant.release('wrn-1');
  plant.set(0);
  expect(plant.warnings.find('wrn-1').draft).toMatchObject({
    ...{ type: 'Cancel', note: { en: 'Back to normal' } },
    content: { headline: { en: 'Red warning cancelled, well 1: Gas leak' } },
  });
  plant.wait(60_000);
  expect(plant.release('wrn-1').state).toBe('cancelled');
  const { tables } = plant.warnings;
  const told = tables.messages(1).map(({ message }) => message);
  expect(told.map(({ type }) => type)).toEqual(['Alert', 'Update', 'Cancel']);
  const names = told.map(({ identifier }) => identifier);
  expect(told.map(({ references }) => references.map(({ identifier }) => identifier))).toEqual([
    ...[[], names.slice(0, 1), names.slice(0, 2)],
  ]);
  // The next alarm is another warning.
  plant.set(15);
  expect(plant.all().map(({ state }) => state)).toEqual(['cancelled', 'drafted']);
});

test.skipIf(!xmllint)(
  'every document of a chain, and the preview of a draft, keeps the rules of CAP',
  () => {
    const plant = new WarnedPlant({ worse: 1 });
    plant.set(15);
    const preview = plant.warnings.preview(plant.warnings.find('wrn-1'), plant.nowMs)!;
    expect(preview).toContain('<status>Draft</status>');
    expect(lint(preview, capElements)).toBe('');
    plant.release('wrn-1');
    plant.set(25);
    plant.release('wrn-1');
    plant.set(0);
    plant.release('wrn-1');
    for (const position of [1, 2, 3]) {
      const { cap } = plant.warnings.tables.documents(1, position)!;
      expect(lint(cap, capElements)).toBe('');
    }
  },
);

test('whatever changes a draft takes the asking for its release back', () => {
  const plant = new WarnedPlant({ worse: 1 });
  plant.set(15);
  const { waiting } = plant.warnings.release('wrn-1', 'seen', li, plant.nowMs);
  plant.set(25);
  expect(refusal(() => plant.alarms.approve(waiting!.id, true, zhang, plant.nowMs))).toMatch(
    /^approval_unknown/,
  );
  const { waiting: again } = plant.warnings.release('wrn-1', 'seen', li, plant.nowMs);
  const wording = { instruction: { en: 'Keep away', zh: '请勿靠近' } };
  plant.warnings.revise('wrn-1', 'Alert', { wording, note: null }, zhang, plant.nowMs);
  expect(refusal(() => plant.alarms.approve(again!.id, true, zhang, plant.nowMs))).toMatch(
    /^approval_unknown/,
  );
  expect(plant.warnings.find('wrn-1').told).toBe(0);
});

test('an asking lapses, and the draft stays', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  plant.warnings.release('wrn-1', 'seen', li, plant.nowMs);
  plant.wait(RELEASE_WITHIN_MS);
  // The second comes too late: it is a first again.
  expect(plant.warnings.release('wrn-1', 'seen', zhang, plant.nowMs).waiting?.by).toBe('zhang');
  expect(plant.warnings.find('wrn-1').told).toBe(0);
});

test("the machine drops its own draft when the alarm is over, and a person's never", () => {
  const plant = new WarnedPlant({ levels: [2, 3] });
  plant.set(15);
  plant.set(0);
  expect(plant.warnings.find('wrn-1')).toMatchObject({ state: 'dropped', draft: null });
  plant.set(15, 2);
  expect(plant.all()).toHaveLength(1);
  const [occurrence] = plant.occurrences(2);
  plant.warnings.draft(occurrence!, {}, li, plant.nowMs);
  plant.set(0, 2);
  expect(plant.warnings.find('wrn-2')).toMatchObject({ state: 'drafted', draft: { by: 'li' } });
  plant.warnings.drop('wrn-2', 'not needed', zhang, plant.nowMs);
  expect(plant.warnings.find('wrn-2').state).toBe('dropped');
});

test('a Cancel that is drafted is dropped when the alarm comes back before anybody released it', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  plant.release('wrn-1');
  plant.set(0);
  expect(plant.warnings.find('wrn-1').draft?.type).toBe('Cancel');
  plant.set(15);
  expect(plant.warnings.find('wrn-1')).toMatchObject({ state: 'released', draft: null });
});

test('what is put aside is neither told nor taken back by the machine', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  const [occurrence] = plant.occurrences();
  const shelve = { kind: 'shelve', forMs: 600_000, isOneShot: false, reason: 'works' } as const;
  const { approval } = plant.alarms.act(occurrence!, shelve, li, plant.nowMs);
  if (approval) plant.alarms.approve(approval.id, true, zhang, plant.nowMs);
  expect(plant.warnings.find('wrn-1').state).toBe('dropped');
  expect(refusal(() => plant.warnings.draft(occurrence!, {}, li, plant.nowMs))).toMatch(
    /^warning_refused: the alarm is shelved/,
  );
});

test('of a point one warning is open at a time, and what makes no sense now is refused', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  const [occurrence] = plant.occurrences();
  const nothing = { wording: {}, note: null };
  const { warnings, nowMs } = plant;
  expect(refusal(() => warnings.draft(occurrence!, {}, li, nowMs))).toMatch(
    /^warning_refused: gw-1\/d\/p1 has warning wrn-1 already/,
  );
  expect(refusal(() => warnings.draft('none', {}, li, nowMs))).toMatch(/^alarm_unknown/);
  expect(refusal(() => warnings.revise('wrn-1', 'Cancel', nothing, li, nowMs))).toMatch(
    /^warning_refused: wrn-1 is drafted: Cancel makes no sense/,
  );
  plant.release('wrn-1');
  expect(refusal(() => warnings.release('wrn-1', '', li, nowMs))).toMatch(/has no draft/);
  expect(refusal(() => warnings.revise('wrn-1', 'Alert', nothing, li, nowMs))).toMatch(/no sense/);
  for (const id of ['wrn-9', 'x', 'wrn-', '999']) {
    expect(refusal(() => warnings.find(id))).toMatch(/^warning_unknown/);
  }
  const off = new WarnedPlant({ settings: null });
  off.set(15);
  expect(off.all()).toEqual([]);
  expect(refusal(() => off.warnings.draft(off.occurrences()[0]!, {}, li, nowMs))).toMatch(
    /^warning_off/,
  );
});

test('a device that is tested gives a test, marked in every text', () => {
  const plant = new WarnedPlant();
  plant.alarms.test('gw-1/d', { forMs: 600_000, reason: 'bump test' }, li, plant.nowMs);
  plant.set(15);
  const [occurrence] = plant.occurrences();
  if (plant.all().length === 0) plant.warnings.draft(occurrence!, {}, li, plant.nowMs);
  plant.release('wrn-1');
  const { cap, ebm } = plant.warnings.tables.documents(1, 1)!;
  expect(cap).toContain('<status>Test</status>');
  expect(cap.match(/<headline>(【测试】|TEST: )/g)).toHaveLength(2);
  expect(ebm).toBeNull();
});

test('a renewal is drafted before the end while it holds, and what ends by itself is over', () => {
  const plant = new WarnedPlant({ settings: { validForMs: 3_600_000 } });
  plant.set(15);
  plant.release('wrn-1');
  plant.wait(44 * 60_000);
  expect(plant.warnings.find('wrn-1').draft).toBeNull();
  plant.wait(2 * 60_000);
  expect(plant.warnings.find('wrn-1').draft).toMatchObject({
    ...{ type: 'Update', note: { en: 'It still holds, and would expire' } },
  });
  plant.warnings.drop('wrn-1', 'no', li, plant.nowMs);
  plant.wait(60_000);
  expect(plant.warnings.find('wrn-1').draft).toBeNull();
  plant.wait(15 * 60_000);
  // It expired, and the alarm holds: another is drafted.
  expect(plant.all().map(({ state }) => state)).toEqual(['expired', 'drafted']);
  expect(plant.warnings.tables.inForce(plant.nowMs)).toEqual([]);
});

test('a warning that ended while the cloud was away is over when it is back', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  plant.release('wrn-1');
  plant.warnings.load();
  plant.wait(settings.validForMs + 1_000);
  expect(plant.all().map(({ state }) => state)).toEqual(['expired', 'drafted']);
});

test('in force is the newest message of each that has not expired, the newest first', () => {
  const plant = new WarnedPlant({ levels: [2, 2] });
  plant.set(15);
  plant.release('wrn-1');
  plant.set(15, 2);
  plant.release('wrn-2');
  const shown = () =>
    plant.warnings.tables
      .inForce(plant.nowMs)
      .map(({ warning, told }) => `${warning.number} ${told.message.type}`);
  expect(shown()).toEqual(['2 Alert', '1 Alert']);
  plant.set(0);
  plant.release('wrn-1');
  expect(shown()).toEqual(['1 Cancel', '2 Alert']);
  const changedMs = plant.warnings.tables.changedMs(plant.nowMs);
  plant.wait(3_700_000);
  expect(shown()).toEqual(['2 Alert']);
  expect(plant.warnings.tables.changedMs(plant.nowMs)).toBeGreaterThan(changedMs);
});

test('with the codes of the site identifiers are national ones, and packages name what they replace', () => {
  const plant = new WarnedPlant({ settings: { national, broadcast }, signer, levels: [2, 2] });
  plant.set(15);
  plant.set(15, 2);
  plant.release('wrn-1');
  plant.release('wrn-2');
  const { tables } = plant.warnings;
  const names = [1, 2].map((number) => tables.messages(number)[0]!.message.identifier);
  expect(names[0]).toMatch(/^34010401300000_202611221200\d\d_0$/);
  expect(names[1]).toBe(names[0]!.replace(/_0$/, '_1'));
  plant.set(0);
  plant.release('wrn-1');
  const [first, second] = tables.messages(1);
  expect(first).toMatchObject({
    signedBy: 'test signer',
    ebdId: expect.stringMatching(/^\d{36}$/),
  });
  const ebm = Buffer.from(tables.documents(1, 2)!.ebm!).toString('utf8');
  expect(ebm).toContain(`<EBMID>${first!.ebmId}</EBMID>`);
  expect(ebm).toContain('<MsgType>2</MsgType>');
  expect(second!.ebmId).not.toBe(first!.ebmId);
});

test('beyond so many drafts the machine drafts no more, and says so once', () => {
  const levels = Array.from({ length: DRAFTS_MAX + 5 }, () => 2 as const);
  const plant = new WarnedPlant({ levels });
  levels.forEach((_, at) => {
    plant.set(15, at + 1);
  });
  expect(plant.all()).toHaveLength(DRAFTS_MAX);
  expect(plant.kinds('warnings')).toEqual(['warning-drafts-full']);
});

test('a start forgets nothing: what was asked for is released by the second person afterwards', () => {
  const before = new WarnedPlant();
  before.set(15);
  before.warnings.release('wrn-1', 'seen', li, before.nowMs);
  const after = new WarnedPlant({ levels: [] }, before.database);
  const { warning } = after.warnings.release('wrn-1', 'seen', zhang, before.nowMs);
  expect(warning).toMatchObject({ state: 'released', told: 1 });
  expect(refusal(() => after.warnings.draft(after.occurrences()[0]!, {}, li, 0))).toMatch(
    /has warning wrn-1 already/,
  );
});

test('a receiver reports what became of a message, each news once', () => {
  const plant = new WarnedPlant();
  plant.set(15);
  plant.release('wrn-1');
  const receipt = (state: 0 | 1 | 2, position = 1) => {
    const told = { position, receiver: 'county', state, note: '', by: 'li', atMs: plant.nowMs };
    return plant.warnings.receipt('wrn-1', told, li);
  };
  expect([receipt(1), receipt(1), receipt(2)]).toEqual([true, false, true]);
  expect(plant.warnings.tables.receipts(1).map(({ state }) => state)).toEqual([1, 2]);
  expect(refusal(() => receipt(2, 2))).toMatch(/^warning_unknown/);
});

test('words of a person stand in what follows, but for those of the old level', () => {
  const plant = new WarnedPlant({ worse: 1 });
  plant.set(15);
  const wording = {
    place: { en: 'School', zh: '学校' },
    level: 3,
    instruction: settings.name,
  } as const;
  const { draft } = plant.warnings.revise(
    'wrn-1',
    'Alert',
    { wording, note: null },
    li,
    plant.nowMs,
  );
  expect(draft!.content.headline.en).toBe('Yellow warning, School: Pressure high 15 bar');
  plant.release('wrn-1');
  plant.set(25);
  expect(plant.warnings.find('wrn-1').draft!.content).toMatchObject({
    ...{ level: 1, area: { text: { en: 'School' } }, instruction: settings.name },
    headline: { en: 'Red warning, School: Pressure very high 25 bar' },
  });
});
