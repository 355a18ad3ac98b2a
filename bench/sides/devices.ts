// Simulated devices over Modbus TCP, a port each: registers 0 on of the holding table, every one of
// which moves with each poll (a walk of at most ±3, never 0). They answer as fast as they can.
import type { RegisterBank } from '../../simulators/modbus-server.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import { serve } from '../side.ts';

export interface DevicesSettings {
  readonly devices: number;
  readonly registers: number;
  /** Registers stand still until `set`. */
  readonly isStill?: boolean;
}

const ILLEGAL_ADDRESS = 2;

class WalkingBank implements RegisterBank {
  readonly words: Uint16Array;
  readonly #isStill: boolean;
  #polls = 0;

  constructor(unit: number, registers: number, isStill: boolean) {
    this.words = Uint16Array.from({ length: registers }, (_, at) => 1_000 + 37 * unit + 101 * at);
    this.#isStill = isStill;
  }

  read(_table: string, address: number, count: number): Uint16Array | number {
    const { words } = this;
    const end = address + count;
    if (end > words.length) return ILLEGAL_ADDRESS;
    if (!this.#isStill) {
      const poll = ++this.#polls;
      for (let at = address; at < end; at++) {
        const move = (((poll * 31 + at * 17) >> 3) % 3) + 1; // 1, 2 or 3.
        words[at] = words[at]! + ((poll + at) & 1 ? move : -move);
      }
    }
    return words.subarray(address, end);
  }

  write(): number {
    return ILLEGAL_ADDRESS;
  }
}

serve(async ({ devices, registers, isStill = false }: DevicesSettings) => {
  const banks = Array.from(
    { length: devices },
    (_, at) => new WalkingBank(at + 1, registers, isStill),
  );
  const servers = await Promise.all(
    banks.map((bank) =>
      ModbusServer.listen({ host: '127.0.0.1', port: 0, banks: new Map([[1, bank]]) }),
    ),
  );
  return {
    ports: () => servers.map(({ port }) => port),
    served: () => servers.reduce((sum, { served }) => sum + served, 0),
    /** Says when it was done, by the wall clock. */
    set: ({ device, register, value }: { device: number; register: number; value: number }) => {
      banks[device]!.words[register] = value;
      return Date.now();
    },
    end: () => Promise.all(servers.map((server) => server.close())),
  };
});
