// The same requests through modbus-serial: 16 loops, each asking for the next when its answer came.
import modbusSerial from 'modbus-serial';
import { IN_FLIGHT_MAX } from '../../protocols/modbus/address.ts';
import type { Asked, AskSettings } from '../modbus-request.ts';
import { serve } from '../side.ts';

serve(async ({ port, registers }: AskSettings) => {
  const client = new modbusSerial.default();
  await client.connectTCP('127.0.0.1', { port });
  client.setID(1);
  client.setTimeout(5_000);
  return {
    ask: async (requests: number): Promise<Asked> => {
      let asked = 0;
      const loop = async (place: number) => {
        while (asked < requests) {
          asked++;
          await client.readHoldingRegisters(place * registers, registers);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, (_, place) => loop(place)));
      return { requests: asked };
    },
    end: () => new Promise<void>((resolve) => client.close(() => resolve())),
  };
});
