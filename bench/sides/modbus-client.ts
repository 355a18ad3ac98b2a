// Asks one device for full requests of registers, 16 in flight, through our driver: what comes out
// is decoded values with qualities and times, as the collector gets them.
import { systemClock } from '../../core/clock.ts';
import { openTcpLink } from '../../edge/links/tcp.ts';
import type { ModbusAddress, ModbusDevice } from '../../protocols/modbus/address.ts';
import { IN_FLIGHT_MAX } from '../../protocols/modbus/address.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import type { Asked, AskSettings } from '../modbus-request.ts';
import { serve } from '../side.ts';

serve(async ({ port, registers }: AskSettings) => {
  const target = { host: '127.0.0.1', port, connectTimeoutMs: 3_000 };
  const link = await openTcpLink(systemClock, target, new AbortController().signal);
  const session = modbus.open(systemClock, link);
  const limits = {
    maxRegisters: registers,
    maxBits: 2_000,
    minRegisters: 1,
    forbidden: [],
    minGapMs: 0,
    readAcrossGaps: true,
  };
  const options: ModbusDevice = {
    ...{ unit: 1, timeoutMs: 5_000, limits, writes: 'single' },
    inFlightMax: IN_FLIGHT_MAX,
  };
  const device = session.device(options);
  const plan = device.plan(
    Array.from(
      { length: IN_FLIGHT_MAX * registers },
      (_, address): ModbusAddress => ({
        ...{ table: 'holding', address, type: 'uint16', order: 'ABCD', packing: 'H' },
        ...{ width: 1, bit: null, bits: null },
      }),
    ),
  );
  return {
    ask: async (requests: number): Promise<Asked> => {
      const { signal } = new AbortController();
      let asked = 0;
      while (asked < requests) {
        const answers = await device.poll(plan, signal);
        if (answers.failures > 0) throw answers.fault ?? new Error('a request failed');
        asked += answers.requests;
      }
      return { requests: asked };
    },
    end: () => session.close(),
  };
});
