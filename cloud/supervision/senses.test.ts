import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { GatewayPresence } from '../ingest/presence.ts';
import { nameOf } from './component.ts';
import { Senses, SHOWN_WITHIN_MS } from './senses.ts';

/** Senses that are looked at each second, as the cloud does; what changed is told. */
function sensing({ periodMs = 1_000, known = true, paths = 1 } = {}) {
  const clock = new SimClock();
  const told: string[] = [];
  const now = new Map<string, string>();
  let epoch = known ? '000001-aaaa' : null;
  let lost: string[] = [];
  const senses = new Senses(clock, {
    epochOf: () => epoch,
    periodMsOf: () => periodMs,
    report: (component, { state, why, lost: isLost }) => {
      const name = nameOf(component);
      const text = why === null ? state : `${state} ${why}`;
      if (isLost) lost.push(name);
      if (now.get(name) === text) return;
      now.set(name, text);
      told.push(`${Math.round(clock.monoMs() / 1_000)} ${name} ${text}`);
    },
  });
  senses.setGateways(['gw']);
  const world = {
    /** Speaks each so often; null: not at all. */
    speaksMs: 10_000 as number | null,
    isAnswering: true,
    isConnected: true,
    isRowing: true,
    storeFollows: true,
  };
  const presence = (online: boolean, states: GatewayPresence['paths'][0]['state'][] = []) => {
    const path = { sinceMs: 0, heardMs: 0, connection: 1, broker: 0 };
    const all = states.length ? states : Array<'up' | 'down'>(paths).fill(online ? 'up' : 'down');
    senses.presence({
      ...{ gateway: 'gw', area: 'gas', online, connection: 1, clock: 'synchronised' },
      ...{ software: '', configuration: '', manifest: '', lastHeardMs: clock.wallMs() },
      paths: all.map((state) => ({ ...path, state })),
    });
  };
  let spokeMs = Number.NEGATIVE_INFINITY;
  let row = 1;
  const seconds = async (count: number) => {
    for (let second = 0; second < count; second++) {
      await clock.advance(1_000);
      const { speaksMs, isAnswering, isConnected, isRowing, storeFollows } = world;
      if (speaksMs !== null && clock.monoMs() - spokeMs >= speaksMs) {
        spokeMs = clock.monoMs();
        presence(true);
      }
      if (isAnswering) {
        senses.ingest(
          { away: isConnected ? [] : [0], connected: isConnected, state: 'working' },
          1,
        );
        senses.broker();
      }
      if (isRowing) senses.committed(++row);
      senses.consumer('alarms', row, 'ok');
      senses.consumer('store', storeFollows ? row : 1, 'ok');
      senses.look(true);
    }
  };
  return {
    ...{ clock, senses, world, told, now, seconds, presence },
    restart: () => {
      epoch = '000002-bbbb';
    },
    takeLost: () => {
      const names = lost;
      lost = [];
      return names;
    },
  };
}

test('a gateway that stops without a word is shown broken within 20 s of its last one, whenever that was', async () => {
  for (let at = 60; at < 71; at++) {
    const { world, told, seconds, clock } = sensing();
    await seconds(at);
    const spoke = Math.floor((at - 1) / 10) * 10 + 1;
    expect(told).toContain('1 gateway/gw ok');
    world.speaksMs = null; // Stopped, or the connection is half open: nothing closes.
    await seconds(25);
    const shown = told.find((line) => line.endsWith('gateway/gw broken silent'));
    expect(Number(shown?.split(' ')[0]) - spoke).toBeLessThanOrEqual(SHOWN_WITHIN_MS / 1_000);
    expect(clock.monoMs()).toBeGreaterThan(0);
  }
});

test('a gateway that speaks each 10 s is never shown broken, and neither is one whose points are slow', async () => {
  const usual = sensing();
  await usual.seconds(600);
  expect(usual.told.filter((line) => line.includes('broken'))).toEqual([]);
  const slow = sensing({ periodMs: 60_000 });
  slow.world.speaksMs = 60_000;
  await slow.seconds(600);
  expect(slow.told.filter((line) => line.includes('broken'))).toEqual([]);
});

test('the word of the broker that it is gone counts at once, and so does its return', async () => {
  const { told, seconds, presence, world } = sensing();
  await seconds(30);
  world.speaksMs = null;
  presence(false);
  await seconds(1);
  expect(told.at(-1)).toBe('31 gateway/gw broken disconnected');
  presence(true);
  await seconds(1);
  expect(told.at(-1)).toBe('32 gateway/gw ok');
});

test('a gateway that comes back as another run has lost what was due; one that only was away has not', async () => {
  const { seconds, presence, restart, takeLost } = sensing();
  await seconds(30);
  presence(false);
  await seconds(2);
  presence(true);
  await seconds(2);
  expect(takeLost()).toEqual([]);
  presence(false);
  await seconds(2);
  restart();
  presence(true);
  await seconds(2);
  expect(takeLost()).toEqual(['gateway/gw']);
});

test('what the cloud itself cannot hear is not the fault of a gateway: no broker, a start, a pause', async () => {
  const away = sensing();
  await away.seconds(30);
  away.world.isConnected = false;
  away.world.speaksMs = null;
  await away.seconds(60);
  expect(away.now.get('gateway/gw')).toBe('unknown no-broker');
  expect(away.now.get('ingest')).toBe('broken no-broker');
  expect(away.now.get('broker/1')).toBe('broken disconnected');
  away.world.isConnected = true;
  await away.seconds(5);
  expect(away.now.get('gateway/gw')).toBe('unknown starting');
  away.world.speaksMs = 10_000;
  await away.seconds(15);
  expect([away.now.get('gateway/gw'), away.now.get('ingest')]).toEqual(['ok', 'ok']);

  const started = sensing();
  started.world.speaksMs = null;
  await started.seconds(10);
  expect(started.now.get('gateway/gw')).toBe('unknown starting');
  await started.seconds(15);
  expect(started.now.get('gateway/gw')).toBe('broken disconnected');

  const paused = sensing();
  await paused.seconds(30);
  await paused.clock.advance(300_000); // The process of the cloud stood still.
  await paused.seconds(60);
  expect(paused.told.filter((line) => line.includes('broken'))).toEqual([]);
});

test('a gateway that was never heard is no fault', async () => {
  const { world, seconds, now } = sensing({ known: false });
  world.speaksMs = null;
  await seconds(100);
  expect(now.get('gateway/gw')).toBe('unknown never-heard');
});

test('a thread that does not answer and a consumer that does not go on are shown within 20 s', async () => {
  const { world, seconds, now, told } = sensing();
  await seconds(30);
  world.isAnswering = false;
  await seconds(19);
  expect([now.get('ingest'), now.get('broker/1')]).toEqual([
    'broken no-answer',
    'broken no-answer',
  ]);
  world.isAnswering = true;
  await seconds(2);
  expect(now.get('ingest')).toBe('ok');

  world.storeFollows = false;
  await seconds(19);
  expect([now.get('store'), now.get('alarms')]).toEqual(['broken behind', 'ok']);
  world.storeFollows = true;
  await seconds(1);
  expect(now.get('store')).toBe('ok');
  world.isRowing = false; // Nothing to take is no standstill.
  await seconds(100);
  expect(now.get('store')).toBe('ok');
  expect(told.filter((line) => line.includes('alarms broken'))).toEqual([]);
});

test('of a gateway with two paths each is shown by itself', async () => {
  const { seconds, presence, now } = sensing({ paths: 2 });
  await seconds(5);
  presence(true, ['up', 'down']);
  await seconds(1);
  expect([now.get('link/gw/1'), now.get('link/gw/2')]).toEqual(['ok', 'broken disconnected']);
  expect(now.get('gateway/gw')).toBe('ok');
});
