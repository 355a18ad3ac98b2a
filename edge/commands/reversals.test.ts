// What is reversed when the cloud stays away, how often, and what holds it up.
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Interlock } from '../../core/command.ts';
import { silentLog } from '../../core/log.ts';
import { seededRandom } from '../../core/random.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import { CommandRig, interlock, offer, pointOf } from '../../tests/command-rig.ts';
import type { Refusal } from './decide.ts';
import { Reversals } from './reversals.ts';

const AFTER_MS = 60_000;
const points = [
  pointOf('speed', [offer({ revert: { afterMs: AFTER_MS, value: 0 } }), offer({ id: 'plain' })]),
];
const standing = { device: 'fan', point: 'speed', command: 'set', id: 'c-1', attempts: 0 };

class Ground {
  readonly clock = new SimClock();
  readonly given: { readonly id: string; readonly atMs: number; readonly value: unknown }[] = [];
  heardMonoMs: number | null = null;
  against: Refusal | null = null;
  isReached = true;
  outcome: Pick<Reply, 'outcome' | 'reason'> = { outcome: 'done', reason: 'none' };
  kept = 0;
  readonly reversals = new Reversals(this.clock, seededRandom(1), silentLog, {
    points,
    heardMonoMs: () => this.heardMonoMs,
    command: (about) => about as Command,
    against: () => this.against,
    isReached: () => this.isReached,
    give: async (command) => {
      this.given.push({ id: command.id, atMs: this.clock.monoMs(), value: command.value });
      return this.outcome as Reply;
    },
    keep: async ({ attempts }) => {
      this.kept = attempts;
    },
  });
}

test('an effect is reversed once, when the cloud was not heard for as long as its offer says', async () => {
  const ground = new Ground();
  await ground.clock.advance(5_000);
  ground.reversals.stands('fan/speed', standing);
  for (let second = 5; second < 200; second++) {
    if (second <= 100) ground.heardMonoMs = ground.clock.monoMs();
    await ground.clock.advance(1_000);
  }
  expect(ground.given.map(({ value }) => value)).toEqual([0]);
  const { atMs } = ground.given[0]!;
  expect(atMs).toBeGreaterThanOrEqual(100_000 + AFTER_MS);
  expect(atMs).toBeLessThanOrEqual(100_000 + AFTER_MS + 2_000);
  expect(ground.reversals.pending).toEqual([]);
});

test('a cloud that was away before the command was given does not reverse it at once', async () => {
  const ground = new Ground();
  await ground.clock.advance(3_600_000);
  ground.reversals.stands('fan/speed', standing);
  await ground.clock.advance(AFTER_MS - 1_000);
  expect([ground.given, ground.reversals.pending[0]?.inMs]).toEqual([[], 1_000]);
  await ground.clock.advance(3_000);
  expect(ground.given.length).toBe(1);
});

test('another command to the point takes its place, and one without reversal ends it', async () => {
  const ground = new Ground();
  ground.reversals.stands('fan/speed', standing);
  await ground.clock.advance(AFTER_MS - 1_000);
  ground.reversals.stands('fan/speed', { ...standing, id: 'c-2' });
  await ground.clock.advance(AFTER_MS - 1_000);
  expect(ground.given).toEqual([]);
  ground.reversals.stands('fan/speed', null);
  await ground.clock.advance(10 * AFTER_MS);
  expect([ground.given, ground.reversals.pending]).toEqual([[], []]);
});

test('what an interlock forbids, or a device does not hear, waits and is shown; then it is done', async () => {
  const ground = new Ground();
  ground.reversals.stands('fan/speed', standing);
  ground.against = { outcome: 'refused', reason: 'interlock', detail: 'gas-high' };
  await ground.clock.advance(10 * AFTER_MS);
  expect(ground.given).toEqual([]);
  expect(ground.reversals.pending[0]).toMatchObject({ inMs: 0, heldBy: 'interlock gas-high' });
  ground.against = null;
  ground.isReached = false;
  await ground.clock.advance(2_000);
  expect(ground.reversals.pending[0]?.heldBy).toBe('no_connection');
  ground.isReached = true;
  await ground.clock.advance(2_000);
  expect(ground.given.length).toBe(1);
});

test('one that failed is tried again under another id, ever less often; one that is uncertain is over', async () => {
  const ground = new Ground();
  ground.outcome = { outcome: 'failed', reason: 'device_refused' };
  ground.reversals.stands('fan/speed', standing);
  await ground.clock.advance(AFTER_MS + 3_600_000);
  const { length } = ground.given;
  expect(length).toBeGreaterThan(8);
  expect(length).toBeLessThan(20);
  expect(new Set(ground.given.map(({ id }) => id)).size).toBe(length);
  expect(ground.kept).toBe(length);
  ground.outcome = { outcome: 'uncertain', reason: 'no_answer' };
  await ground.clock.advance(3_600_000);
  expect([ground.given.length, ground.reversals.pending]).toEqual([length + 1, []]);
});

test('the ledger keeps what stands over a stop, also when the command was cut short', async () => {
  const rig = await new CommandRig().start();
  rig.seal();
  rig.device.takesMs = 1_000;
  rig.take({ command: 'brief' });
  await rig.clock.advance(500);
  expect(rig.standing.size).toBe(0);
  await rig.restart();
  expect(rig.standing.get('fan/speed')).toMatchObject({ command: 'brief', id: 'c-1' });
  rig.seal();
  expect(await rig.outcome({ id: 'c-2', command: 'full', value: null })).toBe(
    'done/none shows 100',
  );
  expect(rig.standing.size).toBe(0);
  await rig.restart();
  expect(rig.standing.size).toBe(0);
  rig.close();
});

test('a reversal goes through the door: it needs no second person, and interlocks hold it', async () => {
  const rig = await new CommandRig().start();
  rig.seal();
  const guard: Interlock = interlock;
  const about = { id: 'revert-1', issuer: 'gateway:revert', point: 'run', value: false };
  const command = rig.command({ ...about, command: 'start' });
  expect(guard.commands).toEqual(['stop']);
  // Its offer is `start`, which the interlock does not name; what it writes stops the fan.
  expect(rig.door.against(command, 'reversal')?.reason).toBe('interlock');
  expect(rig.door.against(command, 'somebody')?.reason).toBe('value_unfit');
  const other = rig.command({ ...about, point: 'speed', command: 'brief', value: 0 });
  const replying = rig.door.give(other, 'reversal');
  await rig.clock.advance(5_000);
  expect(await replying).toMatchObject({ outcome: 'done', issued: { issuer: 'gateway:revert' } });
  rig.close();
});
