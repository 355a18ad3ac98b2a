// A short run with each kind of kill and stop once; `npm run chaos` runs for as long as one likes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runChaos } from './chaos.ts';
import type { Disturbance } from './disturbances.ts';
import { networkNames, planOf, processNames } from './disturbances.ts';

let data: string;

beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'lifeline-chaos-'));
});

afterAll(() => rmSync(data, { recursive: true, force: true }));

const plan: readonly Disturbance[] = [
  { atMs: 4_000, target: 'uplink-water', kind: 'cut', forMs: 0, settings: {} },
  {
    atMs: 5_000,
    target: 'uplink-bridge',
    kind: 'silent',
    forMs: 9_000,
    settings: { halfOpen: true },
  },
  { atMs: 6_000, target: 'gw-gas', kind: 'kill', forMs: 0 },
  { atMs: 8_000, target: 'gw-water', kind: 'stop', forMs: 4_000 },
  { atMs: 11_000, target: 'webhooks', kind: 'delay', forMs: 9_000, settings: { delayMs: 400 } },
  { atMs: 14_000, target: 'desk', kind: 'kill', forMs: 0 },
  { atMs: 16_000, target: 'cloud', kind: 'kill', forMs: 0 },
  {
    atMs: 18_000,
    target: 'uplink-gas',
    kind: 'loss',
    forMs: 8_000,
    settings: { lossPerChunk: 0.3 },
  },
  { atMs: 19_000, target: 'field-water', kind: 'cut', forMs: 0, settings: {} },
  { atMs: 23_000, target: 'desk', kind: 'stop', forMs: 5_000 },
  { atMs: 25_000, target: 'cloud', kind: 'stop', forMs: 3_000 },
  { atMs: 26_000, target: 'gw-bridge', kind: 'kill', forMs: 0 },
];

test('killed, stopped and cut off, the city accounts for every reading and confirms every alarm', async () => {
  const said: string[] = [];
  const report = await runChaos({
    ...{ seed: 1, plan, lengthMs: 34_000, data, signal: new AbortController().signal },
    note: (line) => said.push(line),
  });
  expect(report.wrong, said.join('\n')).toEqual([]);
  expect(report).toMatchObject({
    verdict: 'balances',
    kills: { 'gw-gas': 1, desk: 1, cloud: 1, 'gw-bridge': 1 },
    stops: { 'gw-water': 1, desk: 1, cloud: 1 },
    passedOver: 0,
    duplicates: 0,
  });
  expect(report.alarms.raised).toBeGreaterThanOrEqual(1);
  expect(report.served).toBeGreaterThan(500);
}, 240_000);

test('a plan follows from its seed, reaches every target, and leaves no target disturbed twice at once', () => {
  const lengthMs = 300_000;
  const first = planOf(7, lengthMs);
  expect(planOf(7, lengthMs)).toEqual(first);
  expect(planOf(8, lengthMs)).not.toEqual(first);
  for (const target of [...processNames, ...networkNames]) {
    const own = first.filter((disturbance) => disturbance.target === target);
    expect(own.length, target).toBeGreaterThan(0);
    own.slice(1).forEach(({ atMs }, at) => {
      expect(atMs).toBeGreaterThan(own[at]!.atMs + own[at]!.forMs);
    });
  }
});
