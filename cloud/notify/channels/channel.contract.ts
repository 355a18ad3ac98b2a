// What every channel is held to, against a real local receiver of its kind.
import { expect, test } from 'vitest';
import type { Alarm } from '../../alarms/alarm.ts';
import { UNMARKED } from '../../alarms/alarm.ts';
import type { Delivery, Notice, Notifier, Outcome } from '../notifier.ts';
import type { Wording } from '../wording.ts';

export const sampleAlarm: Alarm = {
  occurrence: '0123456789abcdef0123456789abcdef',
  number: 1,
  series: 7,
  key: 'gas-1/ch4-well-07/ch4',
  area: 'gas',
  gateway: 'gas-1',
  asset: 'gas/MP-1193/well-07',
  name: { en: 'Methane', zh: '甲烷' },
  unit: '%{LEL}',
  rule: 'high-high',
  version: 3,
  level: 1,
  title: { en: 'Methane very high', zh: '甲烷浓度过高' },
  action: { en: 'Close valve V-221', zh: '关闭阀门 V-221' },
  limit: 50,
  value: 52.5,
  beganMs: 1_795_334_390_412,
  raisedMs: 1_795_334_400_412,
  raisedReceivedMs: 1_795_334_400_530,
  clearedMs: null,
  clearedReceivedMs: null,
  acknowledgedMs: null,
  acknowledgedBy: null,
  note: null,
  isHistorical: false,
  supersededBy: null,
  ...UNMARKED,
  revision: 1,
  state: 'B',
};

export function sampleDelivery(changes: Partial<Delivery> = {}): Delivery {
  return {
    id: `${sampleAlarm.occurrence}.raised`,
    number: 1,
    receiver: 'desk',
    person: null,
    route: 'all',
    step: 0,
    transition: 'raised',
    alarm: sampleAlarm,
    state: 'queued',
    attempts: 0,
    repeats: 0,
    queuedMs: 1_795_334_400_600,
    sentMs: null,
    ...{ acceptedMs: null, deliveredMs: null, seenMs: null },
    ...{ confirmedMs: null, confirmedBy: null, actedMs: null },
    undeliveredMs: null,
    why: null,
    ...changes,
  };
}

/** Where a person confirms; a message that names it says which delivery it is. */
export function sampleLink(id: string): string {
  return `https://desk.example/c/${id}`;
}

/** Ids that a text names by their links, in its order. */
export function idsIn(text: string): string[] {
  return [...text.matchAll(/https:\/\/desk\.example\/c\/([\w.-]*\w)/g)].map(([, id]) => id!);
}

export const plainWording: Wording = { language: 'zh', utcOffsetMs: 8 * 3_600_000, templates: [] };

/** One notice of one delivery. */
export function sampleNotice(changes: Partial<Delivery> = {}): Notice {
  const delivery = sampleDelivery(changes);
  return { deliveries: [delivery], links: [sampleLink(delivery.id)] };
}

/** One notice of several deliveries of level II. */
export function sampleDigest(ids: readonly [string, ...string[]]): Notice {
  const [first, ...others] = ids.map((id, at) =>
    sampleDelivery({ id, alarm: { ...sampleAlarm, level: 2, occurrence: id.padEnd(32, `${at}`) } }),
  );
  return { deliveries: [first!, ...others], links: ids.map(sampleLink) };
}

export interface Bench {
  readonly notifier: Notifier;
  /** Ids in the order in which the receiving side took them. */
  readonly received: () => Promise<readonly string[]>;
  /** How many messages they came in, of a notifier that takes several in one. */
  readonly messages?: () => Promise<number>;
  /** All that was logged. */
  readonly logged?: () => string;
}

/** How a receiving side goes wrong; `late` answers when nobody waits any more. */
export type Trouble = 'garbage' | 'hang' | 'late' | 'error in 200';

interface Subject {
  /** Starts the receiving side. */
  readonly open: () => Promise<Bench>;
  /** A notifier whose receiver is not there, if that can be. */
  readonly broken: (() => Notifier) | null;
  /** The same with a receiving side that goes wrong, and a short patience; by what there is. */
  readonly faulty?: Partial<Record<Trouble, () => Promise<Bench>>>;
  /** What may stand in no outcome and in no log. */
  readonly secrets?: readonly string[];
}

export function notifierContract(
  name: string,
  { open, broken, faulty = {}, secrets = [] }: Subject,
): void {
  const quiet = () => new AbortController().signal;
  const expectNoSecret = (outcome: Outcome, { logged = () => '' }: Partial<Bench> = {}) => {
    for (const secret of secrets) {
      expect(JSON.stringify(outcome)).not.toContain(secret);
      expect(logged()).not.toContain(secret);
    }
  };

  test(`${name}: what is sent arrives, once, under its id`, async () => {
    const bench = await open();
    const outcome = await bench.notifier.send(sampleNotice(), quiet());
    expect(outcome.kind).toBe('sent');
    expect(await bench.received()).toEqual([sampleDelivery().id]);
    expectNoSecret(outcome, bench);
  });

  test(`${name}: two deliveries at once do not mix`, async () => {
    const { notifier, received } = await open();
    const ids = ['a.raised', 'b.raised'];
    const outcomes = await Promise.all(
      ids.map((id) => notifier.send(sampleNotice({ id }), quiet())),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual(['sent', 'sent']);
    expect([...(await received())].sort()).toEqual(ids);
  });

  test(`${name}: several deliveries in one notice are one message, where it takes so many`, async () => {
    const { notifier, received, messages = async () => 0 } = await open();
    if ((notifier.digestMax ?? 1) < 3) return;
    const ids = ['a.raised', 'b.raised', 'c.raised'] as const;
    expect((await notifier.send(sampleDigest(ids), quiet())).kind).toBe('sent');
    expect(await messages()).toBe(1);
    expect([...(await received())].sort()).toEqual(ids);
  });

  test(`${name}: an aborted send settles, and is no success`, async () => {
    const { notifier, received } = await open();
    const outcome = await notifier.send(sampleNotice(), AbortSignal.abort());
    expect(outcome.kind).toBe('retry');
    expect(await received()).toEqual([]);
  });

  if (broken) {
    test(`${name}: a receiver that is not there is an outcome to try again, not an exception`, async () => {
      const outcome = await broken().send(sampleNotice(), quiet());
      expect(outcome.kind).toBe('retry');
      expectNoSecret(outcome);
    });
  }

  const { garbage, hang, late, 'error in 200': refusal } = faulty;
  if (garbage) {
    test(`${name}: an answer that nobody can read confirms nothing`, async () => {
      const bench = await garbage();
      const outcome = await bench.notifier.send(sampleNotice(), quiet());
      if (outcome.kind === 'sent') expect(outcome.confirmedBy).toBeNull();
      else expect(outcome.kind).toBe('retry');
      expectNoSecret(outcome, bench);
    });
  }
  for (const [word, slow] of Object.entries({ hangs: hang, 'answers too late': late })) {
    if (!slow) continue;
    test(`${name}: a receiver that ${word} is a time-out, to be tried again`, async () => {
      const bench = await slow();
      const outcome = await bench.notifier.send(sampleNotice(), quiet());
      expect(outcome).toMatchObject({ kind: 'retry', why: 'timeout' });
      expectNoSecret(outcome, bench);
    });
  }
  if (hang) {
    test(`${name}: a send under way settles when it is aborted`, async () => {
      const { notifier } = await hang();
      const abort = new AbortController();
      const sending = notifier.send(sampleNotice(), abort.signal);
      abort.abort();
      expect((await sending).kind).toBe('retry');
    });
  }
  if (refusal) {
    test(`${name}: 200 with an error in it is no success, and says why`, async () => {
      const bench = await refusal();
      const outcome = await bench.notifier.send(sampleNotice(), quiet());
      expect(outcome.kind).not.toBe('sent');
      expect(outcome).toMatchObject({ why: expect.stringMatching(/./) });
      expectNoSecret(outcome, bench);
    });
  }
}
