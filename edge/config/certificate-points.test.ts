import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkRule } from '../../core/alarm/check.ts';
import type { Evaluation } from '../../core/alarm/evaluate.ts';
import { FRESH, step } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { SimClock } from '../../core/clock.ts';
import { GOOD } from '../../core/quality.ts';
import { seededRandom } from '../../core/random.ts';
import type { Profile, ProfilePoint } from '../../device-profiles/profile.ts';
import { DAY_MS } from '../../protocols/opcua/certificate.ts';
import { ownCertificate, prepareNext, useNext } from '../links/opcua-own.ts';
import { certificatesOf, withCertificates } from './certificate-points.ts';
import type { LinkSource } from './format.ts';

const opcua = { protocol: 'opcua', kind: 'opcua' } as LinkSource;
const plain = { ...opcua, security: { policy: 'None' } } as LinkSource;
const modbus = { protocol: 'modbus', kind: 'tcp', host: 'plc' } as LinkSource;
const profile = { points: [] } as unknown as Profile;

const added = (...whose: ('server' | 'own')[]) => withCertificates(profile, opcua, whose);

test('one server has one point and a gateway one, however many devices are behind the links', () => {
  const told = new Set<string>();
  expect(certificatesOf('plc-1', opcua, told)).toEqual(['server', 'own']);
  expect(certificatesOf('plc-1', opcua, told)).toEqual([]);
  expect(certificatesOf('plc-2', opcua, told)).toEqual(['server']);
});

test('where nothing is protected there is no certificate to end', () => {
  const told = new Set<string>();
  expect(certificatesOf('plc-1', plain, told)).toEqual([]);
  expect(certificatesOf('bus', modbus, told)).toEqual([]);
  expect(certificatesOf('plc-2', opcua, told)).toEqual(['server', 'own']);
});

test('the rules are right for their points, in both languages, with what to do', () => {
  for (const { definition } of added('server', 'own')) {
    expect(definition).toMatchObject({ unit: 'd', class: 'compliance', periodMs: 30_000 });
    expect(definition.rules.map(({ id, level }) => [id, level])).toEqual([
      ['certificate-90', 4],
      ['certificate-30', 3],
      ['certificate-7', 2],
    ]);
    const point = { ...definition, device: 'plc' };
    for (const rule of definition.rules) {
      const errors = checkRule(rule, { gateway: 'gw-7', point, others: null });
      expect(errors.filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(rule.title.zh).toMatch(/[一-鿿]/);
      expect(rule.action?.en).toContain('lifeline edge trust');
    }
  }
});

test('a profile that has such a point keeps its own', () => {
  const own = { id: 'certificate-server-days' } as ProfilePoint;
  const points = withCertificates({ points: [own] } as unknown as Profile, opcua, ['server']);
  expect(points).toEqual([own]);
});

/** What the alarm kernel makes of values an hour apart. */
class Watch {
  readonly #states = new Map<string, Evaluation>();
  readonly #rules: readonly Rule[];
  #monoMs = 0;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** `begins certificate-90`, in the order of the rules. */
  see(days: number): string[] {
    this.#monoMs += 3_600_000;
    const monoMs = this.#monoMs;
    return this.#rules.flatMap((rule) => {
      const subject = { key: `gw/plc/certificate-own-days/${rule.id}`, periodMs: 3_600_000, rule };
      const [after, transitions] = step(subject, this.#states.get(rule.id) ?? FRESH, {
        ...{ kind: 'sample', epoch: 'e', monoMs, fromMonoMs: monoMs - 3_600_000, atMs: monoMs },
        ...{ value: days, quality: GOOD },
      });
      this.#states.set(rule.id, after);
      return transitions.map(({ kind }) => `${kind} ${rule.id}`);
    });
  }
}

test('an own certificate that nears its end raises one alarm after the other, and a new one ends them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-points-'));
  try {
    const clock = new SimClock(Date.UTC(2026, 10, 22));
    const random = seededRandom(3);
    const { untilMs } = await ownCertificate(clock, random, { folder, gateway: 'gw-7' });
    const [point] = added('own');
    const watch = new Watch(point!.definition.rules as readonly Rule[]);
    const at = (days: number) => {
      clock.stepWall(untilMs - days * DAY_MS - clock.wallMs());
      return watch.see((untilMs - clock.wallMs()) / DAY_MS);
    };
    expect(at(90.1)).toEqual([]);
    expect(at(89.9)).toEqual(['begins certificate-90']);
    expect(at(31)).toEqual([]);
    expect(at(30)).toEqual(['begins certificate-30']);
    expect(at(6.9)).toEqual(['begins certificate-7']);
    expect(at(-1)).toEqual([]);
    const renewal = { folder, gateway: 'gw-7', key: 'keep', who: 'anna' } as const;
    await prepareNext(clock, random, renewal);
    const used = useNext(clock, folder, 'anna');
    expect(watch.see((used.untilMs - clock.wallMs()) / DAY_MS)).toEqual([
      'ends certificate-90',
      'ends certificate-30',
      'ends certificate-7',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
