// What is made of alarms: incidents, figures, cases. They share the alarms' transaction, so
// whatever kills the cloud, each alarm that called somebody is in one incident and has one case,
// and the journal's chain holds.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmConsumer } from '../../cloud/alarms/consumer.ts';
import { verify } from '../../cloud/alarms/journal.ts';
import { EventStream } from '../../cloud/api/stream.ts';
import { defaultLimits } from '../../cloud/cases/case.ts';
import { Cases } from '../../cloud/cases/cases.ts';
import { Storms } from '../../cloud/storms.ts';
import { Metrics } from '../../core/metrics.ts';
import type { Witness } from './witness.ts';

export class Aftermath {
  readonly #alarms: AlarmConsumer;
  readonly #storms: Storms;
  readonly #cases: Cases;

  constructor(database: DatabaseSync, alarms: AlarmConsumer) {
    this.#alarms = alarms;
    const calendar = { utcOffsetMs: 0 };
    const stream = new EventStream('aftermath');
    this.#storms = new Storms(new Metrics(), { database, alarms, stream, desks: [], ...calendar });
    const departmentOf = () => '';
    this.#cases = new Cases(database, { alarms, limits: defaultLimits, departmentOf, ...calendar });
  }

  async check(witness: Witness): Promise<void> {
    const inIncidents = new Map<string, number>();
    for (const { id } of this.#storms.incidents.list({ state: 'all', limit: 1_000 })) {
      for (const occurrence of this.#storms.incidents.members(id)) {
        inIncidents.set(occurrence, (inIncidents.get(occurrence) ?? 0) + 1);
      }
    }
    for (const alarm of this.#alarms.list({ state: 'all', limit: 1_000 })) {
      const { occurrence, annunciations, key, rule } = alarm;
      if (annunciations === 0) continue;
      const name = `${key} ${rule} ${occurrence.slice(0, 8)}`;
      const count = inIncidents.get(occurrence) ?? 0;
      if (count !== 1) witness.problem('one incident an alarm', `${name} is in ${count}`);
      if (!this.#cases.tables.ofAlarm(occurrence)) witness.problem('a case an alarm', name);
    }
    const { flaws } = await verify(this.#alarms.tables.journal, [], [], async () => {});
    for (const flaw of flaws) witness.problem('the journal holds', JSON.stringify(flaw));
  }
}
