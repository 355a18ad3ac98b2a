import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import type { Link } from '../../protocols/driver.ts';
import { PROBE_MS, TwoWays, WELL_MS } from './two-ways.ts';

const never = new AbortController().signal;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** A way that can be cut and mended; it echoes, unless its bus is cut off. */
class FakeWay {
  answers = true;
  connections = 0;
  port = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  async mend(): Promise<void> {
    const server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes) => this.answers && socket.write(bytes));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

async function twoWays() {
  const [first, backup] = [new FakeWay(), new FakeWay()];
  await first.mend();
  await backup.mend();
  undo.push(
    () => first.cut(),
    () => backup.cut(),
  );
  const clock = new SimClock();
  const place = ({ port }: FakeWay) => ({ host: '127.0.0.1', port });
  const ways = new TwoWays(clock, {
    first: place(first),
    backup: place(backup),
    connectTimeoutMs: 3000,
    pace: null,
  });
  const open = async () => {
    const link = await ways.open(never);
    undo.push(() => link.close());
    return link;
  };
  return { clock, ways, first, backup, open };
}

const closed = (link: Link): Promise<Fault | null> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });

/** One question and its answer. */
async function asked(link: Link): Promise<void> {
  const answer = new Promise<void>((resolve) => {
    link.onBytes = () => resolve();
  });
  link.send(Uint8Array.of(1));
  await answer;
}

/** Lets `ms` pass in steps, with time for sockets between them. */
async function pass(clock: SimClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += PROBE_MS / 4) {
    await clock.advance(PROBE_MS / 4);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

test('the first way is used while it is well, the backup at once when it cannot be connected', async () => {
  const { ways, first, open } = await twoWays();
  const link = await open();
  expect(ways.inUse).toBe('first');
  await asked(link);
  const end = closed(link);
  await first.cut();
  expect(await end).toMatchObject({ code: 'link_lost' });
  expect(ways.inUse).toBeNull();
  await asked(await open());
  expect(ways.inUse).toBe('backup');
});

test('a connection that breaks is first tried over the same way again', async () => {
  const { ways, first, open } = await twoWays();
  const link = await open();
  await asked(link);
  const end = closed(link);
  await first.cut();
  await first.mend();
  await end;
  await open();
  expect(ways.inUse).toBe('first');
});

test('a way that connects and brings no answer is left for the other', async () => {
  const { ways, first, open } = await twoWays();
  first.answers = false;
  const link = await open();
  link.close(); // As the line does when no device answers.
  const second = await open();
  expect(ways.inUse).toBe('backup');
  await asked(second);
});

test('the first way is taken again when it has been well for a while, not before', async () => {
  const { clock, ways, first, open } = await twoWays();
  await first.cut();
  const link = await open();
  let why: Fault | null | undefined;
  link.onClose = (fault) => {
    why = fault;
  };
  await pass(clock, 2 * WELL_MS);
  expect([why, ways.inUse]).toEqual([undefined, 'backup']);
  await first.mend();
  await pass(clock, WELL_MS - PROBE_MS);
  expect(why).toBeUndefined();
  for (let probes = 0; why === undefined && probes < 50; probes++) await pass(clock, PROBE_MS);
  expect(why).toMatchObject({ code: 'link_first_again', retry: 'now' });
  await asked(await open());
  expect(ways.inUse).toBe('first');
});

test('a first way that only connects is given up for longer each time', async () => {
  const { clock, ways, first, open } = await twoWays();
  first.answers = false;
  (await open()).close();
  const onBackup: number[] = [];
  for (let round = 0; round < 3; round++) {
    const end = closed(await open());
    expect(ways.inUse).toBe('backup');
    const startMs = clock.monoMs();
    let isOver = false;
    void end.then(() => {
      isOver = true;
    });
    while (!isOver) await pass(clock, PROBE_MS);
    onBackup.push(clock.monoMs() - startMs);
    const again = await open();
    expect(ways.inUse).toBe('first');
    again.close();
  }
  expect(onBackup[1]).toBeGreaterThan(1.5 * onBackup[0]!);
  expect(onBackup[2]).toBeGreaterThan(1.5 * onBackup[1]!);
});

test('when neither way can be connected, the fault is that of the first', async () => {
  const { ways, first, backup } = await twoWays();
  await first.cut();
  await backup.cut();
  const detail = expect.stringContaining(`:${first.port}`);
  await expect(ways.open(never)).rejects.toMatchObject({ code: 'link_refused', message: detail });
  expect(ways.inUse).toBeNull();
});
