import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Fault } from '../../core/fault.ts';
import type { Link } from '../../protocols/driver.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import { program } from '../../tests/programs.ts';
import { SerialPorts } from './serial.ts';

const socat = program('socat');
const settings = lineSettings('19200-8E1')!;
const never = new AbortController().signal;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'lifeline-port-'));
  undo.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Pair {
  readonly a: string;
  readonly b: string;
  /** As when the adapter is pulled out. */
  vanish(): Promise<void>;
}

/** Two ports with a cable between them. */
async function pair(at = folder()): Promise<Pair> {
  const [a, b] = [join(at, 'a'), join(at, 'b')];
  const ends = [a, b].map((link) => `pty,raw,echo=0,link=${link}`);
  const child = spawn(socat!, ends, { stdio: 'ignore' });
  undo.push(() => ended(child));
  while (!existsSync(a) || !existsSync(b)) await new Promise((resolve) => setTimeout(resolve, 5));
  return { a, b, vanish: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM'); // socat takes its links away.
  await exited;
}

async function opened(ports: SerialPorts, port: string): Promise<Link> {
  const link = await ports.open({ port, settings }, never);
  undo.push(() => link.close());
  return link;
}

const closed = (link: Link): Promise<Fault | null> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });

/** Resolves with the first `count` bytes. */
function received(link: Link, count: number): Promise<number[]> {
  const bytes: number[] = [];
  return new Promise((resolve) => {
    link.onBytes = (part) => {
      bytes.push(...part);
      if (bytes.length >= count) resolve(bytes);
    };
  });
}

test.skipIf(!socat)('bytes go both ways, all 256 of them, in order', async () => {
  const { a, b } = await pair();
  const ports = new SerialPorts();
  const [here, there] = [await opened(ports, a), await opened(ports, b)];
  expect(here.pace).toEqual({ bitsPerSecond: 19_200, bitsPerCharacter: 11 });
  const all = Array.from({ length: 256 }, (_, at) => at);
  const heard = received(there, 256);
  here.send(Uint8Array.from(all));
  expect(await heard).toEqual(all);
  const answered = received(here, 3);
  there.send(Uint8Array.of(1, 2, 3));
  expect(await answered).toEqual([1, 2, 3]);
});

test.skipIf(!socat)(
  'a port that another has open is taken, under any name, until it is closed',
  async () => {
    const { a } = await pair();
    const alias = join(folder(), 'by-id');
    symlinkSync(a, alias);
    const ports = new SerialPorts();
    const link = await opened(ports, a);
    const taken = { code: 'link_port_taken', retry: 'later' };
    await expect(ports.open({ port: a, settings }, never)).rejects.toMatchObject(taken);
    await expect(ports.open({ port: alias, settings }, never)).rejects.toMatchObject(taken);
    // Another process would have a list of its own; the lock on the port is seen by all.
    await expect(new SerialPorts().open({ port: alias, settings }, never)).rejects.toMatchObject({
      ...taken,
      message: expect.stringContaining(`process ${process.pid} has it`),
    });

    const end = closed(link);
    link.close();
    link.send(Uint8Array.of(1)); // Silently nothing.
    expect(await end).toBeNull();
    await expect
      .poll(() =>
        ports.open({ port: alias, settings }, never).then(
          (again) => {
            undo.push(() => again.close());
            return 'open';
          },
          ({ code }: Fault) => code,
        ),
      )
      .toBe('open');
  },
);

test.skipIf(!socat)('a port that is locked by a terminal program is taken', async () => {
  const { a } = await pair();
  const device = realpathSync(a);
  const lock = `/var/lock/LCK..${device.split('/').at(-1)}`;
  try {
    writeFileSync(lock, `${process.pid}\n`.padStart(11), { flag: 'wx' });
  } catch (error) {
    expect(error).toMatchObject({ code: 'EACCES' }); // Not ours to write here.
    return;
  }
  undo.push(() => rmSync(lock, { force: true }));
  await expect(new SerialPorts().open({ port: a, settings }, never)).rejects.toMatchObject({
    code: 'link_port_taken',
  });
  writeFileSync(lock, '99999999\n'); // Of a program that has ended.
  await opened(new SerialPorts(), a);
});

test.skipIf(!socat)(
  'a port that vanishes ends its link once; it is found again when it is back',
  async () => {
    const at = folder();
    const { a, b, vanish } = await pair(at);
    const ports = new SerialPorts();
    const link = await opened(ports, a);
    let calls = 0;
    const end = new Promise<Fault | null>((resolve) => {
      link.onClose = (why) => {
        calls++;
        resolve(why);
      };
    });
    await vanish();
    expect(await end).toMatchObject({ code: 'link_port_vanished', retry: 'later' });
    link.send(Uint8Array.of(1));
    link.close();
    expect(calls).toBe(1);
    const missing = ports.open({ port: a, settings }, never);
    await expect(missing).rejects.toMatchObject({ code: 'link_port_missing', retry: 'later' });

    await pair(at);
    const [here, there] = [await opened(ports, a), await opened(ports, b)];
    const heard = received(there, 1);
    here.send(Uint8Array.of(7));
    expect(await heard).toEqual([7]);
  },
);

test('what is missing, no device, or no terminal is told apart', async () => {
  const ports = new SerialPorts();
  const file = join(folder(), 'port');
  const codeOf = (port: string) =>
    ports.open({ port, settings }, never).then(
      () => 'open',
      ({ code }: Fault) => code,
    );
  expect(await codeOf(file)).toBe('link_port_missing');
  writeFileSync(file, '');
  expect(await codeOf(file)).toBe('link_port_unfit');
  expect(await codeOf('/dev/null')).toBe('link_port_unfit');
  // A failed attempt holds nothing: the next one fails in the same way, not as taken.
  expect(await codeOf('/dev/null')).toBe('link_port_unfit');
});

test.skipIf(!socat)('an attempt that is told to stop leaves the port free', async () => {
  const { a } = await pair();
  const ports = new SerialPorts();
  const stop = new AbortController();
  const attempt = ports.open({ port: a, settings }, stop.signal);
  stop.abort();
  await expect(attempt).rejects.toMatchObject({ code: 'link_closed' });
  await expect
    .poll(() =>
      ports.open({ port: a, settings }, never).then(
        (link) => {
          undo.push(() => link.close());
          return 'open';
        },
        ({ code }: Fault) => code,
      ),
    )
    .toBe('open');
});

test.skipIf(!socat)('the settings of the file are those of the port', async () => {
  const { a } = await pair();
  const ports = new SerialPorts();
  const stty = () =>
    execFileSync('stty', ['-a', '-F', a], { encoding: 'utf8' }).replaceAll('\n', ' ');
  const set = async (text: string) => {
    const link = await ports.open({ port: a, settings: lineSettings(text)! }, never);
    const shown = stty();
    const end = closed(link);
    link.close();
    await end;
    await expect.poll(() => openFiles(realpathSync(a))).toBe(0);
    return shown;
  };
  // A pseudo-terminal keeps speed and stop bits, and takes no parity and no seven bits.
  expect(await set('9600-8N1')).toMatch(/speed 9600 baud.* -cstopb/);
  expect(await set('2400-8N2')).toMatch(/speed 2400 baud.* cstopb/);
  await set('12345-8N1'); // A speed of no list: that the port took it is checked as it opens.
});

test.skipIf(!socat)(
  'a port that takes nothing more is closed as stalled, within the bound',
  async () => {
    const { a } = await pair();
    const link = await opened(new SerialPorts(), a);
    const end = closed(link);
    let sent = 0;
    let isOpen = true;
    void end.then(() => {
      isOpen = false;
    });
    // Nobody reads at the other end: what the kernel does not take may not pile up here.
    for (; isOpen && sent < 4 * 1024 * 1024; sent += 1024) {
      link.send(new Uint8Array(1024));
      if (sent % (64 * 1024) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await end).toMatchObject({ code: 'link_stalled', retry: 'later' });
  },
);

test.skipIf(!socat)('whatever becomes of a link, no descriptor is left open', async () => {
  const at = folder();
  const { a, vanish } = await pair(at);
  const device = realpathSync(a);
  const ports = new SerialPorts();
  for (let round = 0; round < 5; round++) {
    const link = await ports.open({ port: a, settings }, never);
    expect(openFiles(device)).toBeGreaterThan(0);
    link.close();
    await expect.poll(() => openFiles(device)).toBe(0);
  }
  const end = closed(await ports.open({ port: a, settings }, never));
  await vanish();
  await end;
  await expect.poll(() => openFiles(device)).toBe(0);
});

const module = new URL('./serial.ts', import.meta.url).href;

/** What a program of its own prints. */
function printed(program: string, args: readonly string[] = []): string {
  const all = ['--input-type=module', '--eval', program, ...args];
  return execFileSync(process.execPath, all, { encoding: 'utf8' }).trim();
}

test.skipIf(!socat)('a port that we may not use is told apart from one that is taken', async () => {
  const { a } = await pair();
  const device = realpathSync(a);
  chmodSync(device, 0o000);
  chmodSync(dirname(a), 0o755);
  const program = `
    const { SerialPorts } = await import('${module}');
    const settings = { bitsPerSecond: 9600, dataBits: 8, parity: 'N', stopBits: 1 };
    const ports = new SerialPorts();
    const open = (port) => ports.open({ port, settings }, new AbortController().signal);
    // As nobody in particular where we may choose, once all is loaded: the folder may be private.
    await open('/dev/null').catch(() => {});
    if (process.getuid() === 0) {
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
    }
    const opening = open(process.argv[1]);
    await opening.then(() => console.log('open'), ({ code }) => console.log(code));
  `;
  expect(printed(program, [a])).toBe('link_port_denied');
});

test('the native library is loaded with the first port, not before', () => {
  const program = `
    await import('${new URL('./links.ts', import.meta.url).href}');
    const { sharedObjects } = process.report.getReport();
    console.log(sharedObjects.filter((path) => path.includes('serialport')).length);
  `;
  expect(printed(program)).toBe('0');
  const port =
    "new SerialPorts().open({ port: '/dev/null', settings }, new AbortController().signal)";
  const opening = `
    const { SerialPorts } = await import('${module}');
    const settings = { bitsPerSecond: 9600, dataBits: 8, parity: 'N', stopBits: 1 };
    await ${port}.catch(() => {});
    const { sharedObjects } = process.report.getReport();
    console.log(sharedObjects.filter((path) => path.includes('serialport')).length);
  `;
  expect(printed(opening)).toBe('1'); // Or this test would show nothing.
});

/** How often this process has the file open; one that is gone counts too. */
function openFiles(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return realpathSync.native(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false; // Of the reading of this folder itself.
    }
  }).length;
}
