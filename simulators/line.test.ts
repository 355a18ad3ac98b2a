import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { lineSettings } from '../protocols/line-settings.ts';
import { SimLine } from './line.ts';
import type { LineMaster, Transceiver } from './transceiver.ts';
import { SEND_BYTES_MAX } from './transceiver.ts';

const settings = (text: string): LineSettings => lineSettings(text)!;
const frame = Uint8Array.from({ length: 100 }, (_, at) => (at * 37 + 11) & 0xff);

interface Heard {
  readonly bytes: number[];
  readonly atMs: number[];
}

function listen(clock: SimClock, end: LineMaster | Transceiver): Heard {
  const heard: Heard = { bytes: [], atMs: [] };
  const take = (bytes: Uint8Array) => {
    heard.bytes.push(...bytes);
    heard.atMs.push(clock.monoMs());
  };
  if ('onBytes' in end) end.onBytes = take;
  else end.heard = take;
  return heard;
}

function lineAt(text = '9600-8N1') {
  const clock = new SimClock();
  const line = new SimLine(clock, settings(text));
  return { clock, line };
}

test.each([
  ['9600-8N1', 10_000 / 9_600],
  ['19200-8E1', 11_000 / 19_200],
  ['115200-8N2', 11_000 / 115_200],
  ['2400-7E1', 10_000 / 2_400],
])('%s: a frame takes its bits over the baud rate, to the microsecond', async (text, each) => {
  const { clock, line } = lineAt(text);
  const [sender, receiver] = [line.attachMaster(), line.attach()];
  const heard = listen(clock, receiver);
  const bytes = frame.map((byte) => byte & 0x7f);
  sender.send(bytes);
  await clock.advance(100 * each - 0.01);
  expect(heard.bytes.length).toBeLessThan(100);
  await clock.advance(0.02);
  expect(heard.bytes).toEqual([...bytes]);
  expect(heard.atMs.at(-1)).toBeCloseTo(100 * each, 3);
  heard.atMs.forEach((atMs, part) => {
    if (part > 0) expect(atMs - heard.atMs[part - 1]!).toBeLessThanOrEqual(15 + 1e-6);
  });
  expect(receiver.errors).toEqual({ parity: 0, framing: 0, overrun: 0, break: 0 });
  expect(line.timingErrorMs).toMatchObject({ frames: 1 });
  expect(line.timingErrorMs.max).toBeCloseTo(0, 6);
});

test('what is sent at once follows without a gap, and nobody hears himself', async () => {
  const { clock, line } = lineAt();
  const [sender, receiver] = [line.attachMaster(), line.attachMaster()];
  const [own, heard] = [listen(clock, sender), listen(clock, receiver)];
  sender.send(frame);
  sender.send(frame);
  await clock.advance(1_000);
  expect(heard.bytes).toEqual([...frame, ...frame]);
  expect(heard.atMs.at(-1)).toBeCloseTo((200 * 10_000) / 9_600, 3);
  expect(own.bytes).toEqual([]);
  expect(line.collisions).toBe(0);
});

test('an adapter that echoes hears what it sends', async () => {
  const { clock, line } = lineAt();
  const sender = line.attachMaster();
  sender.transceiver.hearsItself = true;
  const own = listen(clock, sender);
  sender.send(frame);
  await clock.advance(1_000);
  expect(own.bytes).toEqual([...frame]);
});

test('two senders at once corrupt each other and framing errors are counted', async () => {
  const { clock, line } = lineAt();
  const [one, two] = [line.attachMaster(), line.attachMaster()];
  const receiver = line.attach();
  const heard = listen(clock, receiver);
  one.send(frame);
  await clock.advance(3.3);
  two.send(frame);
  await clock.advance(1_000);
  expect(line.collisions).toBe(1);
  expect(heard.bytes.slice(0, 3)).toEqual([...frame.slice(0, 3)]);
  expect(heard.bytes).not.toEqual([...frame]);
  expect(receiver.errors.framing).toBeGreaterThan(5);
  one.send(frame);
  await clock.advance(1_000);
  expect(heard.bytes.slice(-100)).toEqual([...frame]); // It comes to itself again.
});

test('another speed is garbage and framing errors at both ends', async () => {
  const { clock, line } = lineAt();
  const [near, far] = [line.attachMaster(), line.attachMaster({ settings: settings('19200-8N1') })];
  const [atNear, atFar] = [listen(clock, near), listen(clock, far)];
  near.send(frame);
  await clock.advance(1_000);
  far.send(frame);
  await clock.advance(1_000);
  for (const heard of [atNear, atFar]) {
    expect(heard.bytes.length).toBeGreaterThan(10);
    expect(heard.bytes).not.toEqual([...frame]);
  }
  expect(near.errors.framing + near.errors.break).toBeGreaterThan(0);
  expect(far.errors.framing + far.errors.break).toBeGreaterThan(20);
});

test('another parity: the characters pass, and those whose bit is wrong are counted', async () => {
  const { clock, line } = lineAt('9600-8E1');
  const [sender, odd] = [line.attachMaster(), line.attach(settings('9600-8O1'))];
  const none = line.attach(settings('9600-8N1'));
  const [atOdd, atNone] = [listen(clock, odd), listen(clock, none)];
  sender.send(frame);
  await clock.advance(1_000);
  expect(atOdd.bytes).toEqual([...frame]);
  expect(odd.errors).toEqual({ parity: 100, framing: 0, overrun: 0, break: 0 });
  // Without parity the even bit stands where the stop bit should be: 0 for every second byte.
  expect(atNone.bytes).toEqual([...frame]);
  const evenOnes = [...frame].filter(
    (byte) => byte.toString(2).replaceAll('0', '').length % 2 === 0,
  );
  expect(none.errors.framing).toBe(evenOnes.length);
});

test('a swapped pair: a break when idle, then garbage and framing errors only', async () => {
  const { clock, line } = lineAt();
  const [sender, swapped] = [line.attachMaster(), line.attachMaster()];
  const heard = listen(clock, swapped);
  swapped.transceiver.isInverted = true;
  await clock.advance(100);
  expect([heard.bytes, swapped.errors.break]).toEqual([[0], 1]);
  await clock.advance(10_000);
  expect(heard.bytes).toEqual([0]); // The line stays there; it is one break.
  sender.send(frame);
  await clock.advance(1_000);
  expect(heard.bytes).not.toEqual([0, ...frame]);
  expect(swapped.errors.framing).toBeGreaterThan(10);
  const before = sender.errors.framing;
  swapped.send(frame);
  await clock.advance(1_000);
  expect(sender.errors.framing).toBeGreaterThan(before + 10);
  swapped.transceiver.isInverted = false;
  await clock.advance(100);
  heard.bytes.length = 0;
  sender.send(frame);
  await clock.advance(1_000);
  expect(heard.bytes).toEqual([...frame]);
});

test('a break is one 0x00 and one count, however long', async () => {
  const { clock, line } = lineAt();
  const [sender, receiver] = [line.attachMaster(), line.attach()];
  const heard = listen(clock, receiver);
  sender.sendBreak(250);
  await clock.advance(1_000);
  expect([heard.bytes, receiver.errors]).toEqual([
    [0],
    { parity: 0, framing: 0, overrun: 0, break: 1 },
  ]);
  sender.send(frame);
  await clock.advance(1_000);
  expect(heard.bytes.slice(1)).toEqual([...frame]);
});

test('a bit turned round on the wire is a wrong byte, a parity error or a framing error', async () => {
  const { clock, line } = lineAt('9600-8E1');
  const [sender, receiver] = [line.attach(), line.attach()];
  const heard = listen(clock, receiver);
  sender.send(frame, 0, { bits: [11 * 4 + 1] }); // Lowest data bit of the fifth character.
  await clock.advance(1_000);
  expect(heard.bytes).toEqual([...frame.slice(0, 4), frame[4]! ^ 1, ...frame.slice(5)]);
  expect(receiver.errors).toMatchObject({ parity: 1, framing: 0 });
  sender.send(frame, 0, { bits: [11 * 4 + 10] }); // Its stop bit.
  await clock.advance(1_000);
  expect(receiver.errors.framing).toBeGreaterThan(0);
  expect(heard.bytes.slice(100, 105)).toEqual([...frame.slice(0, 5)]);
});

test('noise is heard while nobody drives the pair, and only then', async () => {
  const { clock, line } = lineAt();
  const [sender, receiver] = [line.attachMaster(), line.attach()];
  const heard = listen(clock, receiver);
  line.addNoise(Uint8Array.of(0x5a));
  await clock.advance(10);
  expect(heard.bytes).toEqual([0x5a]);
  sender.send(frame);
  await clock.advance(20);
  line.addNoise(Uint8Array.of(0x00, 0x00));
  await clock.advance(1_000);
  expect(heard.bytes.slice(1)).toEqual([...frame]);
  expect(line.collisions).toBe(0);
});

test('a link that is given more than a port holds is closed as stalled', async () => {
  const { clock, line } = lineAt();
  const master = line.attachMaster();
  const closed: (string | null)[] = [];
  master.onClose = (why) => closed.push(why?.code ?? null);
  for (let sent = 0; sent < SEND_BYTES_MAX - 96; sent += 100) master.send(frame);
  await clock.advance(10);
  expect(closed).toEqual([]);
  master.send(frame);
  master.send(frame);
  expect(closed).toEqual(['link_stalled']);
  const other = line.attachMaster();
  other.onClose = (why) => closed.push(why?.code ?? null);
  line.close();
  expect(closed).toEqual(['link_stalled', 'link_lost']);
});

const speeds = ['9600-8N1', '9600-8E1', '19200-8N1', '4800-7E2', '115200-8N1'];
const act = fc.record({
  waitMs: fc.integer({ min: 0, max: 60 }),
  who: fc.integer({ min: 0, max: 2 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  kind: fc.constantFrom('send', 'send', 'send', 'break', 'noise', 'swap', 'settings'),
  speed: fc.constantFrom(...speeds),
});

type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

async function played(acts: readonly Act[]) {
  const { clock, line } = lineAt();
  const ends = [0, 1, 2].map(() => line.attachMaster());
  const heard: string[] = [];
  ends.forEach(({ transceiver }, at) => {
    transceiver.heard = (bytes, fromMs, toMs) => {
      // Half a stop bit may still pass at the slowest: 0.11 ms.
      expect(toMs).toBeLessThanOrEqual(clock.monoMs() + 0.11);
      expect(fromMs).toBeLessThan(toMs);
      heard.push(`${at}@${fromMs.toFixed(3)}:${bytes}`);
    };
  });
  for (const { waitMs, who, bytes, kind, speed } of acts) {
    await clock.advance(waitMs);
    const end = ends[who]!;
    if (kind === 'send') end.send(bytes);
    else if (kind === 'break') end.sendBreak(waitMs + 1);
    else if (kind === 'noise') line.addNoise(bytes);
    else if (kind === 'swap') end.transceiver.isInverted = !end.transceiver.isInverted;
    else end.transceiver.settings = settings(speed);
  }
  await clock.advance(2_000);
  for (const { transceiver } of ends) {
    transceiver.isInverted = false;
    transceiver.settings = line.settings;
  }
  await clock.advance(500);
  heard.push('then');
  ends[0]!.send(frame);
  await clock.advance(500);
  return heard;
}

test('whatever happens on a line happens again the same way, and it comes to itself', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
      const heard = await played(acts);
      expect(await played(acts)).toEqual(heard);
      const last = heard.slice(heard.indexOf('then') + 1);
      for (const end of [1, 2]) {
        const bytes = last.filter((text) => text.startsWith(`${end}@`));
        expect(bytes.map((text) => text.split(':')[1]).join()).toBe(frame.join());
      }
    }),
    { numRuns: 60 },
  );
});
