// One command on its way to a device and what came of it: written once, then looked at until the
// point shows it or its time to show it is over.
//
//   nothing was sent         failed, or refused where the device cannot have the value
//   the device said no       failed / device_refused
//   confirmed, seen          done
//   confirmed, not to be seen (the profile says so)   done
//   confirmed, other value   failed / read_back_differs
//   confirmed, not readable  uncertain / read_back_failed
//   no answer, seen          done: whoever did it, it is so
//   no answer, else          uncertain / no_answer: a late device may still do it
//
// Never written twice, whatever came back.
import type { Clock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import type { PointDefinition } from '../../core/point.ts';
import { engineeringValue } from '../../core/point.ts';
import { isBad } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import { rawToWrite } from '../../device-profiles/commands.ts';
import type { ProfileCommand } from '../../device-profiles/profile.ts';
import type { Written } from '../../protocols/driver.ts';
import type { Shown } from '../collect/device.ts';
import type { Refusal } from './decide.ts';
import { shows } from './decide.ts';

/** Between two looks: a valve takes seconds, and the line has more to do. */
export const LOOK_AGAIN_MS = 200;

/** A device as commands see it. */
export interface CommandedDevice {
  write(
    address: unknown,
    value: Value,
    signal: AbortSignal,
    mayGo: () => boolean,
  ): Promise<Written>;
  look(point: string, signal: AbortSignal): Promise<Shown | null>;
}

export interface Order {
  readonly definition: PointDefinition;
  readonly how: ProfileCommand;
  /** Engineering. */
  readonly value: Exclude<Value, null>;
  /** Asked right before the first byte; what it says is the outcome, and nothing is sent. */
  readonly forbidden: () => Refusal | null;
}

export interface Deed extends Refusal {
  /** False: surely nothing went to the device. */
  readonly wasSent: boolean;
  /** Engineering; null where the point was not seen. */
  readonly readBack: Value;
}

export async function carryOut(
  clock: Clock,
  device: CommandedDevice,
  order: Order,
  signal: AbortSignal,
): Promise<Deed> {
  const { how, value, forbidden } = order;
  let refusal = forbidden();
  if (refusal) return { ...refusal, wasSent: false, readBack: null };
  const mayGo = () => {
    refusal = forbidden();
    return refusal === null;
  };
  const raw = rawToWrite(how, value);
  const { fault, sure } = await device.write(how.address, raw, signal, mayGo);
  if (fault && sure === 'unsent') {
    return { ...(refusal ?? unsent(fault)), wasSent: false, readBack: null };
  }
  const detail = fault?.code ?? '';
  if (fault && sure === 'refused') return told('failed', 'device_refused', detail);
  if (!how.readBack) {
    return fault ? told('uncertain', 'no_answer', detail) : told('done', 'none', '');
  }
  const { isShown, readBack } = await seen(clock, device, order, signal);
  if (isShown) return { ...told('done', 'none', detail), readBack };
  if (fault) return { ...told('uncertain', 'no_answer', detail), readBack };
  return readBack === null
    ? told('uncertain', 'read_back_failed', '')
    : { ...told('failed', 'read_back_differs', ''), readBack };
}

/** Looks until the point shows the value or its time is over, once at the least. */
async function seen(
  clock: Clock,
  device: CommandedDevice,
  { how, definition, value }: Order,
  signal: AbortSignal,
): Promise<{ readonly isShown: boolean; readonly readBack: Value }> {
  const { withinMs, tolerance } = how.readBack!;
  const { point, scale, offset } = definition;
  const endMonoMs = clock.monoMs() + withinMs;
  let readBack: Value = null;
  for (;;) {
    const shown = await device.look(point, signal);
    if (shown && !isBad(shown.quality)) {
      readBack = engineeringValue(shown.raw, scale, offset);
      if (shows(readBack, value, tolerance)) return { isShown: true, readBack };
    }
    const restMs = endMonoMs - clock.monoMs();
    if (restMs <= 0 || signal.aborted) return { isShown: false, readBack };
    await clock.sleep(Math.min(LOOK_AGAIN_MS, restMs), signal);
  }
}

function unsent({ code }: Fault): Refusal {
  if (code.endsWith('_value_unfit')) return told('refused', 'value_unfit', code);
  if (code.endsWith('_read_only')) return told('refused', 'not_offered', code);
  return told('failed', 'no_connection', code);
}

function told(outcome: Refusal['outcome'], reason: Refusal['reason'], detail: string): Deed {
  return { outcome, reason, detail, wasSent: true, readBack: null };
}
