// Polls one device on a simulated serial line through link and driver as the edge does, one poll
// after the other, and says how long that took.
import { systemClock } from '../../core/clock.ts';
import { openSimLink } from '../../edge/links/sim.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import type { ModbusAddress, ModbusDevice } from '../../protocols/modbus/address.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import { serve } from '../side.ts';

export interface LineClientSettings {
  readonly serial: string;
  readonly socket: string;
  readonly registers: number;
}

export interface LineAsked {
  readonly requests: number;
  readonly wallMs: number;
}

serve(async ({ serial, socket, registers }: LineClientSettings) => {
  const settings = lineSettings(serial);
  if (!settings) throw new Error(`${serial} is no setting of a line`);
  const { signal } = new AbortController();
  const target = { place: { path: socket }, settings, onErrors: () => {} };
  const link = await openSimLink(systemClock, target, signal);
  const session = modbus.open(systemClock, link, { framing: 'rtu', echo: false });
  const limits = {
    ...{ maxRegisters: registers, minRegisters: 1, maxBits: 2_000, forbidden: [] },
    ...{ minGapMs: 0, readAcrossGaps: true },
  };
  const options = { unit: 1, timeoutMs: 1_000, limits, inFlightMax: 1, writes: 'single' };
  const device = session.device(options as ModbusDevice);
  const plan = device.plan(
    Array.from(
      { length: registers },
      (_, address): ModbusAddress => ({
        ...{ table: 'holding', address, type: 'uint16', order: 'ABCD', packing: 'H' },
        ...{ width: 1, bit: null, bits: null },
      }),
    ),
  );
  return {
    ask: async (polls: number): Promise<LineAsked> => {
      const beganMs = performance.now();
      let requests = 0;
      for (let poll = 0; poll < polls; poll++) {
        const answers = await device.poll(plan, signal);
        if (answers.failures > 0) throw answers.fault ?? new Error('a request failed');
        requests += answers.requests;
      }
      return { requests, wallMs: performance.now() - beganMs };
    },
    end: () => session.close(),
  };
});
