// Whether a device looks like its profile. Reads only: what is asked is said here, and answers are
// judged here; who asks (the edge at the start of a session, a search of a bus) is elsewhere.
import { isBad } from '../core/quality.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import type { Read } from './auxiliary.ts';
import type { Identification } from './profile.ts';

export interface Questions {
  readonly registers: readonly ModbusAddress[];
  /** Function 43/14 is to be asked as well. */
  readonly deviceId: boolean;
}

export function questionsOf(identify: readonly Identification[]): Questions {
  return {
    registers: identify.flatMap((way) => (way.kind === 'register' ? [way.address] : [])),
    deviceId: identify.some(({ kind }) => kind === 'device-id'),
  };
}

export interface IdentityAnswers {
  /** One a register asked for, in that order. */
  readonly registers: readonly Read[];
  /** Null when the device did not say. */
  readonly deviceId: { readonly vendor: string | null; readonly product: string | null } | null;
}

/** `match`: one way fits. `other`: at least one was answered, and none fits. Else `unknown`. */
export type Likeness = 'match' | 'other' | 'unknown';

export interface Identified {
  readonly likeness: Likeness;
  /** What was found where the likeness is `other`, for a person; foreign text. */
  readonly found: string;
}

export function identify(
  ways: readonly Identification[],
  { registers, deviceId }: IdentityAnswers,
): Identified {
  const found: string[] = [];
  let register = 0;
  for (const way of ways) {
    if (way.kind === 'register') {
      const read = registers[register++];
      if (!read || isBad(read.quality)) continue;
      if (isSame(read.value, way.equals)) return { likeness: 'match', found: '' };
      found.push(`${way.address.table} ${way.address.address}: ${read.value}`);
    } else if (deviceId) {
      const { vendor, product } = deviceId;
      const fits = fitting(way.vendor, vendor) && fitting(way.product, product);
      if (fits) return { likeness: 'match', found: '' };
      found.push(`${vendor ?? ''} ${product ?? ''}`.trim());
    }
  }
  return { likeness: found.length ? 'other' : 'unknown', found: found.join('; ') };
}

function isSame(value: Read['value'], wanted: number | string): boolean {
  return typeof wanted === 'string' ? value === wanted : Number(value) === wanted;
}

function fitting(pattern: RegExp | null, text: string | null): boolean {
  return pattern === null || (text !== null && pattern.test(text));
}
