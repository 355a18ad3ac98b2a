// The end of one participant on a simulated line: the driver and the receiver of a device, or the
// serial port of a master.
import { assert, Fault } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type { Link, Pace } from '../protocols/driver.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { paceOf } from '../protocols/line-settings.ts';
import type { LineErrors } from '../protocols/line-wire.ts';
import { characterMs, sameSettings, UartReceiver } from './uart.ts';

/** 16 frames of Modbus RTU. */
export const SEND_BYTES_MAX = 4_096;
/** Computed times are sums of fractions; what differs by less is the same moment. */
export const SAME_MS = 1e-6;

export interface Damage {
  /** Bits turned round on the wire, counted from the start bit of the first character. */
  readonly bits?: readonly number[];
}

/** What a transceiver asks of its line. */
export interface Pair {
  readonly send: (bytes: Uint8Array, atMs: number, damage: Damage) => void;
  readonly sendBreak: (ms: number) => void;
  readonly detach: () => void;
  readonly nowMs: () => number;
  readonly change: (change: () => void) => void;
}

/** Driver and receiver of one participant. */
export class Transceiver {
  /** An adapter whose receiver stays on while it sends. */
  hearsItself = false;
  /** Bytes, and when the first began and the last was complete. */
  heard: (bytes: Uint8Array, fromMs: number, toMs: number) => void = () => {};
  readonly receiver: UartReceiver;
  readonly #pair: Pair;
  #busyUntilMs = 0;
  #isInverted = false;

  constructor(settings: LineSettings, nowMs: number, pair: Pair) {
    this.receiver = new UartReceiver(settings, nowMs);
    this.#pair = pair;
  }

  get settings(): LineSettings {
    return this.receiver.settings;
  }

  set settings(settings: LineSettings) {
    this.#pair.change(() => {
      this.receiver.settings = settings;
    });
  }

  /** Its two wires are swapped: whatever it sends and hears is upside down. */
  get isInverted(): boolean {
    return this.#isInverted;
  }

  set isInverted(isInverted: boolean) {
    if (isInverted === this.#isInverted) return;
    this.#pair.change(() => {
      this.#isInverted = isInverted;
    });
  }

  get errors(): LineErrors {
    return this.receiver.errors;
  }

  get busyUntilMs(): number {
    return this.#busyUntilMs;
  }

  /** Characters accepted that have not left yet. */
  get waitingBytes(): number {
    const restMs = this.#busyUntilMs - this.#pair.nowMs();
    return Math.max(0, Math.ceil(restMs / characterMs(this.settings) - SAME_MS));
  }

  /**
   * Behind what it is sending already, at `atMs` at the earliest; false, and nothing is sent, when
   * too much is waiting.
   */
  send(bytes: Uint8Array, atMs: number = this.#pair.nowMs(), damage: Damage = {}): boolean {
    assert(bytes.length > 0, 'something to send');
    if (this.waitingBytes + bytes.length > SEND_BYTES_MAX) return false;
    this.#pair.send(bytes, atMs, damage);
    return true;
  }

  sendBreak(ms: number): void {
    this.#pair.sendBreak(ms);
  }

  detach(): void {
    this.#pair.detach();
  }

  /** Told by the line when something of it has its place in time. */
  drivesUntil(ms: number): void {
    this.#busyUntilMs = Math.max(this.#busyUntilMs, ms);
  }

  /** Whether characters with these settings from `fromMs` on need no sampling. */
  hearsCleanly(settings: LineSettings, fromMs: number): boolean {
    return (
      !this.isInverted && sameSettings(this.settings, settings) && this.receiver.isFreeAt(fromMs)
    );
  }
}

/** A master's end of the line, as a driver wants it, with what a serial port also has. */
export class LineMaster implements Link {
  readonly transceiver: Transceiver;
  onBytes: (bytes: Uint8Array) => void = () => {};
  onClose: (why: Fault | null) => void = () => {};
  #isOpen = true;

  constructor(transceiver: Transceiver) {
    this.transceiver = transceiver;
    transceiver.heard = (bytes) => {
      if (this.#isOpen) this.onBytes(bytes);
    };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get pace(): Pace {
    return paceOf(this.transceiver.settings);
  }

  /** Since it was attached. */
  get errors(): LineErrors {
    return this.transceiver.errors;
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOpen || bytes.length === 0 || this.transceiver.send(bytes)) return;
    const detail = bilingual('sim-line-stalled', { characters: this.transceiver.waitingBytes });
    this.end(new Fault('link_stalled', 'later', detail));
  }

  sendBreak(ms: number): void {
    if (this.#isOpen) this.transceiver.sendBreak(ms);
  }

  close(): void {
    this.end(null);
  }

  /** As when the adapter is pulled out. */
  end(why: Fault | null): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.transceiver.detach();
    this.onClose(why);
  }
}
