// Pressures whose alarms are warned of: alarms, warnings and the people who release them, on a
// database in memory and a time that the test moves.
import { DatabaseSync } from 'node:sqlite';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import type { Actor } from '../cloud/alarms/occurrences.ts';
import type { Signer } from '../cloud/warnings/ebm.ts';
import type { WarningSettings } from '../cloud/warnings/settings.ts';
import type { Warning } from '../cloud/warnings/tables.ts';
import { BEIJING_OFFSET_MS } from '../cloud/warnings/warning.ts';
import { Warnings } from '../cloud/warnings/warnings.ts';
import { AlarmedPlant } from './alarmed-plant.ts';
import { NOON_MS } from './warned.ts';

export const li: Actor = { name: 'li', from: '10.0.0.1' };
export const zhang: Actor = { name: 'zhang', from: '10.0.0.2' };

export const settings: WarningSettings = {
  ...{ sender: 'alarm.example.org', contact: null, web: null, validForMs: 7_200_000 },
  name: { en: 'Lifeline centre', zh: '城市生命线监测中心' },
  scope: { kind: 'Restricted', restriction: 'gas operator' },
  ...{ draftFrom: 2, national: null, broadcast: null },
  areas: [
    {
      ...{ asset: 'gas/well-1', event: { en: 'Gas leak', zh: '燃气泄漏' }, datum: 'gcj02' },
      ...{ categories: ['Fire'], responses: ['Avoid'] },
      area: {
        text: { en: 'well 1', zh: '1号井' },
        circle: { center: { latitude: 31.8, longitude: 117.2 }, radiusKm: 0.05 },
        ...{ polygon: null, geocodes: [] },
      },
    },
  ],
};

export interface WarnedPlantOptions {
  readonly settings?: Partial<WarningSettings> | null;
  readonly signer?: Signer;
  readonly levels?: readonly (1 | 2 | 3 | 4)[];
  readonly worse?: 1 | 2 | 3 | 4;
}

export class WarnedPlant {
  nowMs = NOON_MS;
  readonly database: DatabaseSync;
  readonly alarms: AlarmConsumer;
  readonly warnings: Warnings;
  readonly #plant: AlarmedPlant;

  constructor(options: WarnedPlantOptions = {}, database = new DatabaseSync(':memory:')) {
    this.database = database;
    this.alarms = new AlarmConsumer(database);
    this.warnings = new Warnings(database, {
      ...{ alarms: this.alarms, signer: options.signer ?? null },
      settings: options.settings === null ? null : { ...settings, ...options.settings },
      ...{ utcOffsetMs: BEIJING_OFFSET_MS, caseOf: () => 'cas-1' },
    });
    const { levels = [2], worse = null } = options;
    this.#plant = new AlarmedPlant(this.alarms, NOON_MS, levels, worse);
    levels.forEach((_, at) => {
      this.set(0, at + 1);
    });
  }

  /** The series shows this value, a second later than what came before. */
  set(value: number, series = 1): void {
    this.wait(1_000);
    this.#plant.set(series, value, this.nowMs);
  }

  /** Without gateways that fall silent meanwhile. */
  wait(ms: number): void {
    this.nowMs += ms;
    const { alarms, warnings, nowMs } = this;
    if (warnings.isDue(nowMs)) alarms.together(() => warnings.tick(nowMs));
  }

  /** The alarms of a series, the oldest first. */
  occurrences(series = 1): string[] {
    return this.alarms.tables
      .list({ state: 'all' })
      .filter(({ key }) => key === `gw-1/d/p${series}`)
      .map(({ occurrence }) => occurrence)
      .reverse();
  }

  all(): Warning[] {
    return this.warnings.tables.list('all', null, 1_000).reverse();
  }

  /** Both people, one after the other. */
  release(id: string): Warning {
    this.warnings.release(id, 'seen', li, this.nowMs);
    return this.warnings.release(id, 'seen', zhang, this.nowMs).warning;
  }

  kinds(what: string): string[] {
    const page = { order: 'oldest', after: null, limit: 1_000 } as const;
    return this.alarms.tables.journal.list({ what }, page).entries.map(({ kind }) => kind);
  }
}
