// What every channel is held to, against a real local receiver of its kind.
import { expect, test } from 'vitest';
import type { Alarm } from '../../alarms/alarm.ts';
import { UNMARKED } from '../../alarms/alarm.ts';
import type { Delivery, Notice, Notifier } from '../notifier.ts';

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

/** One notice of one delivery. */
export function sampleNotice(changes: Partial<Delivery> = {}): Notice {
  return { deliveries: [sampleDelivery(changes)], links: [null] };
}

export interface Bench {
  readonly notifier: Notifier;
  /** Ids in the order in which the receiving side took them. */
  readonly received: () => Promise<readonly string[]>;
}

/**
 * `open` starts the receiving side; `broken` gives a notifier whose receiver is not there, if that
 * can be.
 */
export function notifierContract(
  name: string,
  {
    open,
    broken,
  }: { readonly open: () => Promise<Bench>; readonly broken: (() => Notifier) | null },
): void {
  const quiet = () => new AbortController().signal;

  test(`${name}: what is sent arrives, once, under its id`, async () => {
    const { notifier, received } = await open();
    const outcome = await notifier.send(sampleNotice(), quiet());
    expect(outcome.kind).toBe('sent');
    expect(await received()).toEqual([sampleDelivery().id]);
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
    });
  }
}
