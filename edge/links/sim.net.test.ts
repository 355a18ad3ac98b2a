import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import type { Link } from '../../protocols/driver.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import type { LineErrors, LineRecord } from '../../protocols/line-wire.ts';
import { encodeLineRecord, LineRecordReader } from '../../protocols/line-wire.ts';
import { openSimLink } from './sim.ts';
import type { SocketPlace } from './tcp.ts';

const settings = lineSettings('9600-8E1')!;
const never = new AbortController().signal;
const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const each of undo.splice(0).reverse()) each();
});

interface FarEnd {
  readonly place: SocketPlace;
  readonly records: LineRecord[];
  say(record: LineRecord): void;
  readonly socket: () => Socket;
}

/** The line's end of the socket, as it is written down. */
async function farEnd(path?: string): Promise<FarEnd> {
  const records: LineRecord[] = [];
  let connection: Socket | null = null;
  const server = createServer((socket) => {
    connection = socket;
    socket.on('error', () => socket.destroy());
    undo.push(() => socket.destroy());
    const reader = new LineRecordReader();
    socket.on('data', (bytes) => reader.push(bytes, (record) => records.push(record)));
  });
  undo.push(() => server.close());
  await new Promise<void>((resolve) => {
    if (path) server.listen(path, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  const place = path
    ? { path }
    : { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const socket = () => connection!;
  return { place, records, socket, say: (record) => socket().write(encodeLineRecord(record)) };
}

async function open({ place }: FarEnd, onErrors: (errors: LineErrors) => void = () => {}) {
  const link = await openSimLink(systemClock, { place, settings, onErrors }, never);
  undo.push(() => link.close());
  return link;
}

const closed = (link: Link): Promise<Fault | null> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });

test('settings go first, then bytes both ways, over TCP and over a Unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-line-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  for (const line of [await farEnd(), await farEnd(join(folder, 'line'))]) {
    const link = await open(line);
    expect(link.pace).toEqual({ bitsPerSecond: 9600, bitsPerCharacter: 11 });
    link.send(Uint8Array.of(1, 2));
    await expect
      .poll(() => line.records)
      .toEqual([
        { kind: 'settings', settings },
        { kind: 'data', bytes: Uint8Array.of(1, 2) },
      ]);
    const heard = new Promise<Uint8Array>((resolve) => {
      link.onBytes = resolve;
    });
    line.say({ kind: 'break', ms: 20 }); // Nothing a session knows of.
    line.say({ kind: 'data', bytes: Uint8Array.of(9) });
    expect(await heard).toEqual(Uint8Array.of(9));
  }
});

test('what the line counts as wrong is handed on', async () => {
  const line = await farEnd();
  const counted = { parity: 1, framing: 2, overrun: 0, break: 3 };
  const seen: LineErrors[] = [];
  await open(line, (errors) => seen.push(errors));
  await expect.poll(() => line.records).toHaveLength(1);
  line.say({ kind: 'errors', errors: counted });
  await expect.poll(() => seen).toEqual([counted]);
});

test('what is no line ends the link once with its fault', async () => {
  const line = await farEnd();
  const link = await open(line);
  const end = closed(link);
  await expect.poll(() => line.records).toHaveLength(1);
  line.socket().write('HTTP/1.1 400 Bad Request\r\n\r\n');
  expect(await end).toMatchObject({ code: 'line_wire' });
  link.send(Uint8Array.of(1)); // Silently nothing.
});

test('a line that is not there is refused, and one that goes away ends the link', async () => {
  const nowhere = { path: join(tmpdir(), 'lifeline-no-such-line') };
  const target = { place: nowhere, settings, onErrors: () => {} };
  await expect(openSimLink(systemClock, target, never)).rejects.toMatchObject({
    code: 'link_refused',
  });
  const line = await farEnd();
  const end = closed(await open(line));
  await expect.poll(() => line.records).toHaveLength(1);
  line.socket().destroy();
  expect(await end).toMatchObject({ code: 'link_lost' });
});
