// Devices that keep what is written into them, in a process of their own: on a simulated serial line
// whose characters take their time, or as units of one Modbus TCP server. Each answers after its
// turnaround.
import { lineSettings } from '../../protocols/line-settings.ts';
import { SimBus } from '../../simulators/bus.ts';
import { LineServer } from '../../simulators/line-server.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import { preciseClock } from '../../simulators/precise-clock.ts';
import { serve } from '../side.ts';

export type CommandPlace =
  /** `serial` as in a gateway file: 19200-8E1. */
  | { readonly kind: 'line'; readonly serial: string; readonly socket: string }
  | { readonly kind: 'tcp' };

export interface CommandPlantSettings {
  readonly place: CommandPlace;
  /** From unit 1 on. */
  readonly units: number;
  readonly registers: number;
  readonly turnaroundMs: number;
}

class Bank implements RegisterBank {
  readonly words: Uint16Array;

  constructor(registers: number) {
    this.words = Uint16Array.from({ length: registers }, (_, at) => at);
  }

  read(_table: string, address: number, count: number): Uint16Array {
    return this.words.slice(address, address + count);
  }

  write(_table: string, address: number, values: Uint16Array): number {
    this.words.set(values, address);
    return 0;
  }
}

serve(async ({ place, units, registers, turnaroundMs }: CommandPlantSettings) => {
  const banks = Array.from({ length: units }, () => new Bank(registers));
  if (place.kind === 'tcp') {
    const server = await ModbusServer.listen({
      ...{ host: '127.0.0.1', port: 0, banks: new Map(banks.map((bank, at) => [at + 1, bank])) },
      faults: [{ kind: 'late', delayMs: turnaroundMs }],
    });
    return { port: () => server.port, end: () => server.close() };
  }
  const settings = lineSettings(place.serial);
  if (!settings) throw new Error(`${place.serial} is no setting of a line`);
  const stations = banks.map((bank, at) => ({ unit: at + 1, bank, turnaroundMs }));
  const bus = new SimBus(preciseClock, { settings, seed: 1, stations });
  const server = await LineServer.open(bus, [{ kind: 'sim', path: place.socket }]);
  return {
    end: async () => {
      await server.close();
      bus[Symbol.dispose]();
    },
  };
});
