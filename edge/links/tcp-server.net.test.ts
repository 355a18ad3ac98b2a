import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { crc16Modbus } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { SimClock, systemClock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import type { Log, LogFields } from '../../core/log.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import type { Link } from '../../protocols/driver.ts';
import { answerBytes } from '../../protocols/modbus/answer-bytes.ts';
import type { UnitOptions } from './tcp-server.ts';
import { DIAL_IN_WAIT_MS, DialInServer, REGISTRATION_MS, UNREGISTERED_MAX } from './tcp-server.ts';

const never = new AbortController().signal;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

const text = (words: string) => new TextEncoder().encode(words);

const unit = (link: string, identity: string, heartbeat: string | null = null): UnitOptions => ({
  link,
  identity: text(identity),
  heartbeat: heartbeat === null ? null : text(heartbeat),
  answerBytes: (bytes, start, end) => answerBytes('rtu', [1], bytes, start, end),
  pace: null,
});

function serve(
  units: readonly UnitOptions[],
  { clock = systemClock, log = silentLog }: { clock?: Clock; log?: Log } = {},
) {
  const metrics = new Metrics();
  const server = new DialInServer(clock, log, metrics, { host: '127.0.0.1', port: 0, units });
  undo.push(() => server.close());
  const count = (result: string) => {
    const line = metrics
      .render()
      .split('\n')
      .find((each) => each.includes(`result="${result}"`));
    return Number(line?.split(' ').at(-1));
  };
  return { server, metrics, count };
}

/** Dials in and says `words`. */
async function dial(server: DialInServer, words: string): Promise<Socket> {
  const port = await server.port();
  const socket = connect({ host: '127.0.0.1', port: port!, noDelay: true });
  undo.push(() => socket.destroy());
  socket.on('error', () => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  if (words) socket.write(words);
  return socket;
}

/** The listener stands when this resolves; `link` resolves when the unit has dialed in. */
async function waiting(server: DialInServer, name: string): Promise<{ link: Promise<Link> }> {
  const link = server.open(name, never);
  link.catch(() => {}); // Looked at by the test, perhaps later.
  await expect.poll(() => server.port()).not.toBeNull();
  return { link };
}

const closed = (link: Link): Promise<Fault | null> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });
const hungUp = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

/** What the link has brought so far, as text. */
function heard(link: Link): () => string {
  let words = '';
  link.onBytes = (bytes) => {
    words += Buffer.from(bytes).toString('latin1');
  };
  return () => words;
}

test('a unit that registers is the link of its name, and bytes go both ways', async () => {
  const { server, count } = serve([unit('a', 'DTU-1'), unit('b', 'DTU-2')]);
  const [a, b] = [server.open('a', never), server.open('b', never)];
  await expect.poll(() => server.port()).not.toBeNull();
  const [second, first] = [await dial(server, 'DTU-2'), await dial(server, 'DTU-1')];
  const [linkA, linkB] = [await a, await b];
  const [fromA, fromB] = [heard(linkA), heard(linkB)];
  first.write('one');
  second.write('two');
  await expect.poll(() => [fromA(), fromB()]).toEqual(['one', 'two']);
  const told = new Promise<Buffer>((resolve) => first.once('data', resolve));
  linkA.send(text('ask'));
  expect(`${await told}`).toBe('ask');
  expect(count('registered')).toBe(2);
});

test('a registration cut in pieces counts, and what comes glued behind it is not lost', async () => {
  const { server } = serve([unit('a', 'DTU-1', 'ping')]);
  const opening = await waiting(server, 'a');
  const socket = await dial(server, '');
  for (const part of ['D', 'TU', '-1pi']) {
    socket.write(part);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const words = heard(await opening.link);
  socket.write('ngping-x');
  await expect.poll(words).toBe('-x');
});

test('heartbeats are taken out and counted, before, behind and between what is answered', async () => {
  const { server, metrics } = serve([unit('a', 'DTU-1', 'ping')]);
  const opening = await waiting(server, 'a');
  const socket = await dial(server, 'DTU-1');
  const words = heard(await opening.link);
  const answer = Uint8Array.of(1, 3, 2, 0, 7);
  const sum = crc16Modbus(answer);
  const crc = Uint8Array.of(sum & 0xff, sum >> 8);
  socket.write('ping');
  socket.write(Buffer.concat([text('ping'), answer]));
  socket.write(Buffer.concat([crc, text('pi')]));
  socket.write('ng');
  const whole = Buffer.concat([answer, crc]).toString('latin1');
  await expect.poll(words).toBe(whole);
  await expect.poll(() => metrics.render()).toContain('edge_link_heartbeats_total{link="a"} 3');
});

test('a unit that dials in again replaces its old connection, which had not said that it is dead', async () => {
  const { server, count } = serve([unit('a', 'DTU-1')]);
  const opening = await waiting(server, 'a');
  const old = await dial(server, 'DTU-1');
  const link = await opening.link;
  const [end, oldEnd] = [closed(link), hungUp(old)];
  const fresh = await dial(server, 'DTU-1');
  expect(await end).toMatchObject({ code: 'link_replaced', retry: 'now' });
  await oldEnd;
  link.send(text('nobody')); // Silently nothing.
  const words = heard(await server.open('a', never));
  fresh.write('new');
  await expect.poll(words).toBe('new');
  expect([count('registered'), count('replaced')]).toEqual([1, 1]);
});

test('a unit that nobody waits for is kept until its link is opened, and what it says is not', async () => {
  const { server, count } = serve([unit('a', 'DTU-1'), unit('b', 'DTU-2')]);
  await waiting(server, 'b');
  const socket = await dial(server, 'DTU-1early');
  await expect.poll(() => count('registered')).toBe(1);
  const link = await server.open('a', never);
  const words = heard(link);
  socket.write('now');
  await expect.poll(words).toBe('now');
  const end = closed(link);
  socket.destroy();
  expect(await end).toMatchObject({ code: 'link_lost', retry: 'later' });
});

test('who registers as nobody is refused, counted, and told once an interval', async () => {
  const told: LogFields[] = [];
  const log: Log = { ...silentLog, warn: (_event, fields) => told.push(fields ?? {}) };
  const { server, count } = serve([unit('a', 'DTU-1')], { log });
  await waiting(server, 'a');
  for (const words of ['DTU-2', 'GET / HTTP/1.1', '\x16\x03\x01']) {
    await hungUp(await dial(server, words));
  }
  await expect.poll(() => count('unknown')).toBe(3);
  expect(told).toEqual([
    { at: '127.0.0.1:0', from: '127.0.0.1', why: 'registers as "DTU-2"', refused: 1 },
  ]);
});

test('who does not register is let go after a limit, and only so many may try at once', async () => {
  const clock = new SimClock();
  const { server, count } = serve([unit('a', 'DTU-1')], { clock });
  await waiting(server, 'a');
  const quiet = await Promise.all(
    Array.from({ length: UNREGISTERED_MAX }, (_, at) => dial(server, at % 2 ? 'DTU' : '')),
  );
  await expect.poll(() => server.unregistered).toBe(UNREGISTERED_MAX);
  await hungUp(await dial(server, ''));
  expect(count('surplus')).toBe(1);
  quiet.pop()!.destroy();
  await expect.poll(() => count('left')).toBe(1);
  const ends = quiet.map(hungUp);
  await clock.advance(REGISTRATION_MS);
  await Promise.all(ends);
  expect(count('silent')).toBe(UNREGISTERED_MAX - 1);
});

test('a unit that does not come is said to be missing, and may be waited for again at once', async () => {
  const clock = new SimClock();
  const { server } = serve([unit('a', 'DTU-1')], { clock });
  const opening = await waiting(server, 'a');
  await expect.poll(() => clock.nextMs()).not.toBeNull();
  const missing = expect(opening.link).rejects.toMatchObject({
    code: 'link_not_dialed_in',
    retry: 'now',
  });
  await clock.advance(DIAL_IN_WAIT_MS);
  await missing;
});

test('an address that is taken is told, and waiting ends when it is told to', async () => {
  const { server } = serve([unit('a', 'DTU-1')]);
  await waiting(server, 'a');
  const port = (await server.port())!;
  const options = { host: '127.0.0.1', port, units: [unit('a', 'DTU-1')] };
  const other = new DialInServer(systemClock, silentLog, new Metrics(), options);
  await expect(other.open('a', never)).rejects.toMatchObject({ code: 'link_listen' });
  await server.close();
  const stop = new AbortController();
  const attempt = other.open('a', stop.signal); // The port is free now.
  await expect.poll(() => other.port()).toBe(port);
  stop.abort();
  await expect(attempt).rejects.toMatchObject({ code: 'link_closed' });
  await other.close();
});
