// A simulated serial line with devices on it, in a process of its own: characters take their time,
// and each device answers after its turnaround. It notes when each was asked.

import { Problems } from '../../core/problems.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import { SimBus } from '../../simulators/bus.ts';
import { parseFault } from '../../simulators/faults.ts';
import { LineServer } from '../../simulators/line-server.ts';
import { preciseClock } from '../../simulators/precise-clock.ts';
import { serve } from '../side.ts';

export interface LineSideSettings {
  /** As in a gateway file: 9600-8E1. */
  readonly serial: string;
  readonly turnaroundMs: number;
  readonly socket: string;
  /** From unit 1 on; 1 when left out. */
  readonly units?: number;
}

serve(async ({ serial, turnaroundMs, socket, units = 1 }: LineSideSettings) => {
  const settings = lineSettings(serial);
  if (!settings) throw new Error(`${serial} is no setting of a line`);
  const arrivals: number[][] = Array.from({ length: units }, () => []);
  const stations = arrivals.map((notes, at) => {
    const read = (_table: string, address: number, count: number) => {
      if (units > 1) notes.push(preciseClock.monoMs());
      return Uint16Array.from({ length: count }, (_, place) => address + place);
    };
    return { unit: at + 1, bank: { read, write: () => 0 }, turnaroundMs };
  });
  const bus = new SimBus(preciseClock, { settings, seed: 1, stations });
  const server = await LineServer.open(bus, [{ kind: 'sim', path: socket }]);
  return {
    timing: () => bus.line.timingErrorMs,
    /** Of each unit since the last call, where there are several. */
    arrivals: () => arrivals.map((notes) => notes.splice(0)),
    /** As text: KIND[=VALUE][:UNITS]; those before no longer show. */
    faults: (texts: readonly string[]) => {
      const problems = new Problems('faults');
      const context = { on: 'line', settings } as const;
      const faults = texts.map((text) => parseFault(text, context, [], problems)!);
      problems.throwIfAny();
      bus.faults = faults;
    },
    end: async () => {
      await server.close();
      bus[Symbol.dispose]();
    },
  };
});
