// Links over serial ports of this machine. A bus has one owner: a port that this process, or any
// other that locks what it uses, has open is not touched.
//
// - What can be wrong is found by looking at the port before it is opened (path, kind, rights,
//   locks), because opening and setting it would already disturb whoever uses it, and because the
//   library tells its failures apart by text only.
// - The native library is loaded with the first port: a gateway without any does not pay for it. -
// A port that vanishes (a USB adapter pulled) ends the link. Its name is resolved at each opening,
//   so an adapter that comes back under a name that stays is found again.
import type { Stats } from 'node:fs';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { access, constants, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { isatty, ReadStream } from 'node:tty';
import { Fault, systemDetail } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Link } from '../../protocols/driver.ts';
import type { LineSettings, Parity } from '../../protocols/line-settings.ts';
import { lineSettingsText, paceOf } from '../../protocols/line-settings.ts';

export interface SerialTarget {
  /** A device file or a name that leads to one. */
  readonly port: string;
  readonly settings: LineSettings;
}

/**
 * Bytes that wait for the line: 8 s at 9,600 baud, more than any request. Beyond it nothing leaves
 * the port any more, and the link is closed as stalled.
 */
const SEND_BYTES_MAX = 8 * 1024;
/** Two ends of a line may differ by about 5 % before the last bit of a character is missed. */
const BAUD_DEVIATION_MAX = 0.03;

const parityNames = { N: 'none', E: 'even', O: 'odd' } as const satisfies Record<Parity, string>;

/** The serial ports this process uses, by the device file behind their names. */
export class SerialPorts {
  readonly #held = new Set<string>();

  /** Rejects with a fault that may be tried again later. */
  async open(target: SerialTarget, signal: AbortSignal): Promise<Link> {
    const { port, settings } = target;
    const { device, status } = await this.#usable(port);
    this.#held.add(device);
    const release = () => this.#held.delete(device);
    let link: Link;
    try {
      const opened = await openPort(device, target, status);
      const fd = await descriptorOf(device, port, opened);
      link = linkOver(opened, fd, port, settings, release);
    } catch (error) {
      release();
      throw error;
    }
    if (!signal.aborted) return link;
    link.close();
    throw new Fault('link_closed', 'never', bilingual('link-told-to-stop', { name: port }));
  }

  /** The device file behind the name, looked at from outside. */
  async #usable(port: string): Promise<{ readonly device: string; readonly status: Stats }> {
    const device = await realpath(port).catch((error: NodeJS.ErrnoException) => {
      throw new Fault('link_port_missing', 'later', systemDetail(port, error), error);
    });
    if (this.#held.has(device)) {
      throw new Fault('link_port_taken', 'later', bilingual('link-port-ours', { port }));
    }
    const status = await stat(device).catch((error: NodeJS.ErrnoException) => {
      throw new Fault('link_port_missing', 'later', systemDetail(port, error), error);
    });
    if (!status.isCharacterDevice()) {
      const detail = bilingual('link-port-no-device', { port, device });
      throw new Fault('link_port_unfit', 'later', detail);
    }
    await access(device, constants.R_OK | constants.W_OK).catch((error: NodeJS.ErrnoException) => {
      throw new Fault('link_port_denied', 'later', systemDetail(port, error), error);
    });
    const owner = lockOwner(device, status);
    if (owner) {
      throw new Fault('link_port_taken', 'later', bilingual('link-port-theirs', { port, owner }));
    }
    return { device, status };
  }
}

/** What the library makes of a port, as far as it is used here. */
interface OpenPort {
  getBaudRate(): Promise<{ readonly baudRate: number }>;
  set(options: PortLines): Promise<void>;
  /** Throws away what was not sent yet. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface PortLines {
  readonly brk: boolean;
  readonly cts: boolean;
  readonly dsr: boolean;
  readonly dtr: boolean;
  readonly rts: boolean;
  readonly lowLatency: boolean;
}

async function openPort(
  device: string,
  { port: name, settings }: SerialTarget,
  status: Stats,
): Promise<OpenPort> {
  const { SerialPort } = await import('serialport');
  const { bitsPerSecond, dataBits, parity, stopBits } = settings;
  const port: OpenPort = await SerialPort.binding
    .open({
      path: device,
      baudRate: bitsPerSecond,
      dataBits,
      parity: parityNames[parity],
      stopBits,
      lock: true,
    })
    .catch((error: Error) => {
      const values = { port: name, settings: lineSettingsText(settings), why: error.message };
      const detail = bilingual('link-port-not-opened', values);
      // A terminal that can be opened and still was refused is locked; who has it may be hidden.
      const isTaken = lockOwner(device, status) !== undefined || isTerminal(device);
      throw new Fault(isTaken ? 'link_port_taken' : 'link_port_unfit', 'later', detail, error);
    });
  const { baudRate } = await port.getBaudRate();
  if (Math.abs(baudRate / bitsPerSecond - 1) > BAUD_DEVIATION_MAX) {
    await port.close();
    const values = { port: name, asked: bitsPerSecond, actual: baudRate };
    throw new Fault('link_port_settings', 'later', bilingual('link-port-other-speed', values));
  }
  // Adapters gather bytes for up to 16 ms before they hand them over, unless told not to. Those
  // that cannot be told are as slow as they are.
  const lines = { brk: false, cts: false, dsr: false, dtr: true, rts: true };
  await port.set({ ...lines, lowLatency: true }).catch(() => false);
  return port;
}

async function descriptorOf(device: string, name: string, port: OpenPort): Promise<number> {
  try {
    // Without waiting for a carrier; the library had it ignored.
    return openSync(device, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch (error) {
    await port.close();
    throw new Fault('link_port_unfit', 'later', systemDetail(name, error), error);
  }
}

/**
 * Process that has the port locked, or undefined: by flock, as this and most programs do, or by a
 * lock file, as terminal programs do.
 */
function lockOwner(device: string, { dev, ino }: Stats): string | undefined {
  const pair = (value: number) => value.toString(16).padStart(2, '0');
  const major = Math.floor(dev / 0x100) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  const file = `${pair(major)}:${pair(minor)}:${ino}`;
  for (const line of textOf('/proc/locks').split('\n')) {
    const [, kind, , , pid, place] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && place === file) return pid;
  }
  const [pid = ''] = textOf(`/var/lock/LCK..${basename(device)}`)
    .trim()
    .split(/\s+/);
  return /^\d+$/.test(pid) && isRunning(Number(pid)) ? pid : undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // Somebody else's.
  }
}

function isTerminal(device: string): boolean {
  try {
    const fd = openSync(device, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    const is = isatty(fd);
    closeSync(fd);
    return is;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBUSY'; // Taken for itself alone.
  }
}

/**
 * Empty where there is no such file, or it is not ours to read: then nobody is known to hold it.
 */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

function linkOver(
  port: OpenPort,
  fd: number,
  name: string,
  settings: LineSettings,
  onReleased: () => void,
): Link {
  const stream = new ReadStream(fd);
  let isOpen = true;
  const link: Link = {
    pace: paceOf(settings),
    send: (bytes) => {
      if (!isOpen) return;
      if (stream.writableLength + bytes.length > SEND_BYTES_MAX) {
        const values = { port: name, bytes: stream.writableLength };
        end(new Fault('link_stalled', 'later', bilingual('link-port-stuck', values)));
        return;
      }
      stream.write(bytes);
    },
    onBytes: () => {},
    onClose: () => {},
    close: () => end(null),
  };
  const end = (why: Fault | null) => {
    if (!isOpen) return;
    isOpen = false;
    stream.destroy();
    closeSync(fd); // The runtime read a terminal over a copy of it, and has closed that.
    void release(port).then(onReleased);
    link.onClose(why);
  };
  const vanished = (error?: Error) => {
    const detail = bilingual('link-port-gone', { port: name });
    end(new Fault('link_port_vanished', 'later', detail, error));
  };
  stream.on('data', (bytes) => {
    if (isOpen) link.onBytes(bytes);
  });
  stream.on('error', vanished);
  stream.on('end', () => vanished());
  return link;
}

/** Closing waits for what was not sent yet; nobody wants it any more. */
async function release(port: OpenPort): Promise<void> {
  const nothing = () => {}; // Of a port that is gone there is nothing to throw away.
  await port.flush().catch(nothing);
  await port.close().catch(nothing);
}
