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
import { readFileSync } from 'node:fs';
import { access, constants, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { SerialPort } from 'serialport';
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
    let opened: SerialPort;
    try {
      opened = await openPort(device, target, status);
    } catch (error) {
      this.#held.delete(device);
      throw error;
    }
    const link = linkOver(opened, port, settings, () => this.#held.delete(device));
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

async function openPort(
  device: string,
  { port: name, settings }: SerialTarget,
  status: Stats,
): Promise<SerialPort> {
  const { SerialPort: Port } = await import('serialport');
  const { bitsPerSecond, dataBits, parity, stopBits } = settings;
  const port = new Port({
    path: device,
    baudRate: bitsPerSecond,
    dataBits,
    parity: parityNames[parity],
    stopBits,
    lock: true,
    autoOpen: false,
  });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (!error) return resolve();
      const owner = lockOwner(device, status);
      const values = { port: name, settings: lineSettingsText(settings), why: error.message };
      const detail = bilingual('link-port-not-opened', values);
      reject(new Fault(owner ? 'link_port_taken' : 'link_port_unfit', 'later', detail, error));
    });
  });
  const actual = await port.port?.getBaudRate();
  const deviation = Math.abs((actual?.baudRate ?? bitsPerSecond) / bitsPerSecond - 1);
  if (deviation > BAUD_DEVIATION_MAX) {
    await new Promise<void>((resolve) => port.close(() => resolve()));
    const values = { port: name, asked: bitsPerSecond, actual: actual?.baudRate ?? 0 };
    const detail = bilingual('link-port-other-speed', values);
    throw new Fault('link_port_settings', 'later', detail);
  }
  hurry(port);
  return port;
}

/**
 * Adapters gather bytes for up to 16 ms before they hand them over, unless told not to. Those that
 * cannot be told are as slow as they are.
 */
function hurry(port: SerialPort): void {
  const lines = { brk: false, cts: false, dsr: false, dtr: true, rts: true };
  const told = port.port?.set({ ...lines, lowLatency: true });
  told?.catch(() => false);
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
  return /^\d+$/.test(pid) && textOf(`/proc/${pid}/comm`) !== '' ? pid : undefined;
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
  port: SerialPort,
  name: string,
  settings: LineSettings,
  onReleased: () => void,
): Link {
  let isOpen = true;
  const link: Link = {
    pace: paceOf(settings),
    send: (bytes) => {
      if (!isOpen) return;
      if (port.writableLength + bytes.length > SEND_BYTES_MAX) {
        const values = { port: name, bytes: port.writableLength };
        end(new Fault('link_stalled', 'later', bilingual('link-port-stuck', values)));
        return;
      }
      port.write(bytes);
    },
    onBytes: () => {},
    onClose: () => {},
    close: () => end(null),
  };
  const end = (why: Fault | null) => {
    if (!isOpen) return;
    isOpen = false;
    if (port.isOpen) {
      // Closing waits for what was not sent yet; nobody wants it any more.
      port.flush(() => port.close(onReleased));
    } else onReleased();
    link.onClose(why);
  };
  const vanished = (error: Error | null) => {
    const detail = bilingual('link-port-gone', { port: name });
    end(new Fault('link_port_vanished', 'later', detail, error ?? undefined));
  };
  port.on('data', (bytes: Uint8Array) => {
    if (isOpen) link.onBytes(bytes);
  });
  port.on('error', vanished);
  port.on('close', vanished);
  return link;
}
