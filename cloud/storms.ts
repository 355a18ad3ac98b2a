// What is made of many alarms at once, joined to the cloud: incidents and annunciations follow the
// alarms in their transaction; afterwards the live stream and the metrics are told.
import type { DatabaseSync } from 'node:sqlite';
import type { Metrics } from '../core/metrics.ts';
import { Annunciations } from './alarms/annunciations.ts';
import type { AlarmConsumer } from './alarms/consumer.ts';
import { Incidents } from './alarms/incidents.ts';
import { machine } from './alarms/occurrences.ts';
import { deskObject, incidentObject } from './api/incident-objects.ts';
import type { EventStream } from './api/stream.ts';

export interface StormOptions {
  readonly database: DatabaseSync;
  readonly alarms: AlarmConsumer;
  readonly stream: EventStream;
  /** Asset paths that somebody watches. */
  readonly desks: readonly string[];
  readonly utcOffsetMs: number;
}

export class Storms {
  readonly incidents: Incidents;
  readonly annunciations: Annunciations;
  readonly #alarms: AlarmConsumer;
  readonly #stream: EventStream;

  constructor(metrics: Metrics, options: StormOptions) {
    const { database, alarms, stream, desks, utcOffsetMs } = options;
    const journal = (kind: string, what: string, after: unknown, atMs: number) => {
      const { name: who, from } = machine;
      alarms.tables.journal.write({ atMs, kind, who, from, what, before: null, after });
    };
    this.#alarms = alarms;
    this.#stream = stream;
    this.incidents = new Incidents(database, journal);
    this.annunciations = new Annunciations(database, { desks, utcOffsetMs, journal });
    alarms.follow(this.incidents);
    alarms.follow(this.annunciations);
    const help = 'Incidents that are not over';
    metrics.observe('alarm_incidents_open', help, {}, () => this.incidents.open);
    this.annunciations.desks().forEach(({ desk }, at) => {
      const labels = { desk: desk || 'all' };
      const now = () => this.annunciations.desks()[at]!;
      const flood = 'An alarm flood goes on at this desk';
      metrics.observe('alarm_flood', flood, labels, () => (now().flood?.toMs === null ? 1 : 0));
      const rate = 'Alarms told to this desk in the last ten minutes';
      metrics.observe('alarm_ten_minutes_alarms', rate, labels, () => now().inTenMinutes);
    });
  }

  /** After each transaction of the alarms, and once a second: who watches the stream is told. */
  tell(): void {
    for (const { change, incident } of this.incidents.changes()) {
      this.#stream.publish({
        topic: 'incidents',
        name: `incident.${change}`,
        data: JSON.stringify(incidentObject(incident, (id) => this.#alarms.get(id))),
        assets: [incident.place],
      });
    }
    for (const { desk, flood } of this.annunciations.changes()) {
      const state = this.annunciations.desks().find((it) => it.desk === desk)!;
      this.#stream.publish({
        topic: 'incidents',
        name: flood.toMs === null ? 'flood.began' : 'flood.ended',
        data: JSON.stringify(deskObject({ ...state, flood })),
        assets: [desk === '' ? null : desk],
      });
    }
  }
}
