// Worlds that once failed, each with what was wrong then.
import type { FaultKind } from './faults.ts';

export interface Case {
  readonly claim: string;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
}

/** What worlds were drawn from before kinds were added: a world depends on the whole list. */
const firstKinds: readonly FaultKind[] = [
  'loss',
  'delay',
  'broker-restart',
  'cut',
  'half-open',
  'stall',
  'outage',
  'kill-edge',
  'kill-cloud',
  'clock-step',
  'slow-disk',
  'full-disk',
  'full-cloud-disk',
  'store-hung',
  'old-card',
  'twin',
  'wiped-store',
  'reconfigure',
  'poison',
  'device',
  'receiver',
];

/** And then, before the next were added. */
const secondKinds: readonly FaultKind[] = firstKinds.toSpliced(
  19,
  0,
  'poison-part',
  'small-card',
  'reorder',
);

/** With a full registry as well. */
const thirdKinds: readonly FaultKind[] = secondKinds.toSpliced(21, 0, 'full-registry-disk');

export const cases: readonly Case[] = [
  {
    claim: 'a backlog that comes behind newer records is evaluated in its own order',
    seed: 32,
    kinds: ['outage'],
  },
  {
    claim: 'what topics bring out of order is no second excursion',
    seed: 35,
    kinds: ['outage'],
  },
  {
    claim: 'a state record does not throw away the coverage that waited before it',
    seed: 34,
    kinds: ['outage'],
  },
  {
    claim: 'a record missing from before an excursion does not hide it',
    seed: 34,
    kinds: ['stall'],
  },
  {
    claim: 'an excursion in which several records were lost is known when they come',
    seed: 38,
    kinds: ['loss'],
  },
  {
    claim: 'coverage of all records that waited comes before what is evaluated with it',
    seed: 114,
    kinds: ['device', 'kill-edge', 'kill-cloud', 'loss', 'delay'],
  },
  {
    claim: 'an excursion after an outage does not take the name of the one before',
    seed: 127,
    kinds: ['outage', 'stall'],
  },
  {
    claim: 'a value that only the alarms had is shown again after the cloud was killed',
    seed: 4,
    kinds: ['kill-cloud'],
  },
  ...[57, 62, 113, 470].map((seed) => ({
    claim: `a refused record is told of exactly, though its card was taken out (${seed})`,
    seed,
    kinds: firstKinds,
  })),
  ...[147, 272].map((seed) => ({
    claim: `no point is read twice in one millisecond (${seed})`,
    seed,
    kinds: firstKinds,
  })),
  {
    claim: 'an excursion that was taken live for the rest of the one before it is known in the end',
    seed: 441,
    kinds: [
      'loss',
      'delay',
      'broker-restart',
      'stall',
      'outage',
      'kill-cloud',
      'clock-step',
      'slow-disk',
      'receiver',
    ],
  },
  {
    claim: 'what one stretch of history found out goes on in the next',
    seed: 1081,
    kinds: firstKinds,
  },
  {
    claim: 'a second excursion behind a late end of the first is an alarm of its own',
    seed: 778,
    kinds: firstKinds,
  },
  ...[256, 282, 518, 880, 907, 965, 1043, 1810, 1836, 1994].map((seed) => ({
    claim: `what was taken before the record that made its dictionary known is evaluated (${seed})`,
    seed,
    kinds: firstKinds,
  })),
  {
    claim: 'an excursion after a restart does not take the name of one that was rising before it',
    seed: 1591,
    kinds: firstKinds,
  },
  {
    claim: 'an excursion after a hole does not take the name of one that was rising before it',
    seed: 985,
    kinds: firstKinds,
  },
  {
    claim: 'coverage that overtakes the first sample of an epoch says nothing of a value before it',
    seed: 148,
    kinds: firstKinds,
  },
  {
    claim: 'a sample that is lost behind another lost one makes no excursion of its own',
    seed: 221,
    kinds: firstKinds,
  },
  {
    claim:
      'a card restored from an older image is shown though the clock of the cloud was set back',
    seed: 332,
    kinds: firstKinds,
  },
  {
    claim: 'what is paged beside a record that overtook its dictionary holds now',
    seed: 1183,
    kinds: firstKinds,
  },
  {
    claim:
      'a dictionary that was sealed damaged is sealed again, and nothing waits for it for ever',
    seed: 2,
    kinds: ['poison-part'],
  },
  {
    claim: 'what was acked and has left is said to be lost with the store, and not to be damaged',
    seed: 11,
    kinds: ['poison', 'full-disk', 'small-card', 'wiped-store', 'old-card'],
  },
  {
    claim: 'an epoch of which nothing is left is named to a store that never heard of it',
    seed: 107,
    kinds: ['poison-part', 'wiped-store', 'outage', 'reconfigure', 'kill-edge'],
  },
  {
    claim: 'what a refused record told of is told again, once',
    seed: 12,
    kinds: ['poison', 'full-disk', 'small-card', 'wiped-store', 'old-card', 'device'],
  },
  {
    claim: 'a dictionary that came damaged and then whole is known to all who follow the inbox',
    seed: 1056,
    kinds: ['poison-part', 'wiped-store', 'outage', 'reconfigure', 'kill-edge', 'full-disk'],
  },
  {
    claim: 'what rose while the end of the excursion before it was on its way is an alarm then',
    seed: 994,
    kinds: secondKinds,
  },
  {
    claim: 'what is read for a new store while its asking is not on disk yet counts as sent',
    seed: 426,
    kinds: thirdKinds,
  },
  {
    claim: 'two cards with one backlog tell of it twice, the second time as an estimate',
    seed: 220,
    kinds: thirdKinds,
  },
  {
    claim: 'a loss that the cloud may know better stays apart when its own record has to go',
    seed: 1137,
    kinds: thirdKinds,
  },
  {
    claim: 'a point that a configuration left out is beyond anew when it is back',
    seed: 336,
    kinds: thirdKinds,
  },
  {
    claim: 'an alarm from before a restart does not become one that began after it',
    seed: 1524,
    kinds: secondKinds,
  },
  {
    claim: 'a gateway whose twin is switched off is now again, and its alarms are',
    seed: 67,
    kinds: ['twin'],
  },
  {
    claim: 'what waited for a dictionary is no older epoch come back',
    seed: 2337,
    kinds: ['poison-part'],
  },
  {
    claim: 'what several stretches of history found out goes on in the order of time',
    seed: 711,
    kinds: thirdKinds,
  },
  {
    claim: 'an excursion from before a restart that ended behind it does not hide the next',
    seed: 2303,
    kinds: ['small-card'],
  },
  {
    claim: 'an alarm that a change of terms left on keeps the time it began at',
    seed: 1008,
    kinds: ['poison-part', 'wiped-store', 'outage', 'reconfigure', 'kill-edge', 'full-disk'],
  },
  {
    claim: 'an alarm of a backlog whose end comes after a restart is not raised by what holds then',
    seed: 536,
    kinds: thirdKinds,
  },
  {
    claim: 'an excursion between two stretches of history is not told by the second again',
    seed: 699,
    kinds: thirdKinds,
  },
  {
    claim: 'an excursion that was ending at the end of a stretch does not become the next one',
    seed: 1306,
    kinds: thirdKinds,
  },
  ...[2231, 2246].map((seed) => ({
    claim: `a backlog that shows nothing of what holds now leaves its alarm as it is (${seed})`,
    seed,
    kinds: ['small-card'] as const,
  })),
];
