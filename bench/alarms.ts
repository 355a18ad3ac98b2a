// The alarms by themselves, on records that are decoded already: how many rules a core evaluates and
// what a rule costs in memory, how long a start over them takes, and what a storm of alarms does.
//
// An evaluation is one reading held against one limit rule with its state kept, through
// AlarmConsumer.apply: order and coverage of the record, the rule, the marks, and the transaction
// that writes them. What is before it (decoding, about 50 ns a reading) and behind it (live stream,
// notifications) is in `npm run bench -- path`.
import { join } from 'node:path';
import type { Bed, Bench } from './bench.ts';
import type {
  AlarmsSettings,
  Counted,
  Evaluated,
  Opened,
  Taken,
  Whereabouts,
} from './sides/alarms.ts';

const POINTS = 1_000;
const OPEN_ALARMS = 10_000;
const HEAP = ['--max-old-space-size=12288'];

async function runRules(bed: Bed): Promise<void> {
  const gateways = bed.pick(1_000, 50);
  const rules = gateways * POINTS;
  const file = join(bed.folder, 'alarms.sqlite');
  const settings: AlarmsSettings = { file, gateways, points: POINTS, places: 5 };
  const before = await bed.side('alarms', settings, { execArgv: HEAP });
  bed.note(`filling ${rules} rules`);
  await before.ask('fill');
  await before.ask('open');
  // Every series has been heard of, and some are in alarm.
  await before.ask('evaluate', { rounds: 1, recordsAtOnce: 20 });
  await before.ask('raise', { alarms: OPEN_ALARMS, atOnce: 1_000, everyMs: 0 });
  const resumed = await before.ask<Whereabouts>('where');
  await before.end();

  const side = await bed.side('alarms', { ...settings, resumed }, { execArgv: HEAP });
  const opened = await side.ask<Opened>('open');
  const about = { rules, openAlarms: OPEN_ALARMS };
  bed.report({
    ...{ name: 'restart until evaluating', value: opened.wallS, unit: 's', target: '<= 30' },
    with: { ...about, cpuS: opened.cpuS },
  });
  bed.report({
    ...{ name: 'memory a rule', value: opened.bytes / rules, unit: 'B', target: '<= 1,500' },
    with: { ...about, MiB: Math.round(opened.bytes / 2 ** 20) },
  });
  // Twice, so that what is compiled in the first counts for nothing.
  await side.ask('evaluate', { rounds: 2, recordsAtOnce: 20 });
  for (const recordsAtOnce of [20, gateways]) {
    const rounds = bed.pick(10, 20);
    const took = await side.ask<Evaluated>('evaluate', { rounds, recordsAtOnce });
    bed.report({
      name: `evaluations a second a core, ${recordsAtOnce * POINTS} a transaction`,
      ...{ value: took.evaluations / took.cpuS, unit: '1/s', target: '>= 5,000,000' },
      with: { ...about, evaluations: took.evaluations, wallS: took.wallS },
    });
  }
}

async function runStorm(bed: Bed): Promise<void> {
  const alarms = bed.pick(10_000, 1_000);
  for (const everyMs of [0, 100]) {
    const file = join(bed.folder, `storm-${everyMs}.sqlite`);
    const settings: AlarmsSettings = { file, gateways: 50, points: POINTS, places: 5 };
    const side = await bed.side('alarms', settings, { execArgv: HEAP });
    await side.ask('fill');
    await side.ask('open');
    await side.ask('evaluate', { rounds: 2, recordsAtOnce: 20 });
    const took = await side.ask<Taken>('raise', { alarms, atOnce: 100, everyMs });
    const counted = await side.ask<Counted>('count');
    await side.end();
    const when = everyMs === 0 ? 'as fast as it goes' : `${(1_000 / everyMs) * 100} a second`;
    report(bed, when, alarms, took, counted);
  }
}

function report(bed: Bed, when: string, alarms: number, took: Taken, counted: Counted): void {
  const { journalled, members, annunciated, incidents, floods } = counted;
  const kept = Math.min(counted.alarms, journalled, members, annunciated);
  const about = { alarms, journalled, members, annunciated, floods };
  bed.report({
    ...{ name: `alarms lost, ${when}`, value: alarms - kept, unit: 'alarms', target: '0' },
    with: about,
  });
  bed.report({
    ...{ name: `incidents, ${when}`, value: incidents, unit: 'incidents', target: '<= 10' },
    with: about,
  });
  bed.report({
    ...{ name: `all of them committed, ${when}`, value: took.wallS, unit: 's', target: '<= 10' },
    with: { cpuS: took.cpuS, lastMs: took.lastMs, worstMs: took.worstMs, atOnce: 100 },
  });
}

export const alarmRules: Bench = {
  name: 'alarm-rules',
  about: 'a million limit rules: evaluations a second a core, memory a rule, seconds to start',
  run: runRules,
};

export const alarmStorm: Bench = {
  name: 'alarm-storm',
  about:
    '10,000 alarms in 10 s into journal, incidents and figures: lost, incidents, time to the last',
  run: runStorm,
};
