// A simulated serial line with one device on it, in a process of its own: characters take their
// time, and the device answers after its turnaround.
import { lineSettings } from '../../protocols/line-settings.ts';
import { SimBus } from '../../simulators/bus.ts';
import { LineServer } from '../../simulators/line-server.ts';
import { preciseClock } from '../../simulators/precise-clock.ts';
import { serve } from '../side.ts';

export interface LineSideSettings {
  /** As in a gateway file: 9600-8E1. */
  readonly serial: string;
  readonly turnaroundMs: number;
  readonly socket: string;
}

serve(async ({ serial, turnaroundMs, socket }: LineSideSettings) => {
  const settings = lineSettings(serial);
  if (!settings) throw new Error(`${serial} is no setting of a line`);
  const bank = {
    read: (_table: string, address: number, count: number) =>
      Uint16Array.from({ length: count }, (_, at) => address + at),
    write: () => 0,
  };
  const bus = new SimBus(preciseClock, {
    ...{ settings, seed: 1, stations: [{ unit: 1, bank, turnaroundMs }] },
  });
  const server = await LineServer.open(bus, [{ kind: 'sim', path: socket }]);
  return {
    timing: () => bus.line.timingErrorMs,
    end: async () => {
      await server.close();
      bus[Symbol.dispose]();
    },
  };
});
