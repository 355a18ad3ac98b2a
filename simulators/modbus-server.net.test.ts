// Our server, asked by clients nobody here wrote.
import modbusSerial from 'modbus-serial';
import { beforeEach, expect, test } from 'vitest';
import { memory, UNIT } from '../tests/interop/exchanges.ts';
import type { RegisterBank } from './modbus-answer.ts';
import { ModbusServer } from './modbus-server.ts';

let bank: RegisterBank = memory();
beforeEach(() => {
  bank = memory();
});

const listen = () =>
  ModbusServer.listen({ host: '127.0.0.1', port: 0, banks: new Map([[UNIT, bank]]) });

test('modbus-serial reads and writes our server, sixteen requests at once', async () => {
  await using server = await listen();
  const client = new modbusSerial.default();
  await client.connectTCP('127.0.0.1', { port: server.port });
  client.setID(UNIT);
  client.setTimeout(5_000);
  const reads = Array.from({ length: 16 }, (_, at) => client.readHoldingRegisters(at * 10, 10));
  for (const [at, { data }] of (await Promise.all(reads)).entries()) {
    expect(data).toEqual(
      Array.from({ length: 10 }, (_, more) => ((at * 10 + more) * 257) & 0xffff),
    );
  }
  expect((await client.readInputRegisters(5, 2)).data).toEqual([60_005, 60_006]);
  expect((await client.readCoils(0, 4)).data.slice(0, 4)).toEqual([true, false, false, true]);
  await client.writeRegisters(0, [7, 8]);
  await client.writeCoil(1, true);
  expect([bank.read('holding', 0, 2), bank.read('coil', 1, 1)]).toEqual([
    Uint16Array.of(7, 8),
    Uint16Array.of(1),
  ]);
  await expect(client.readHoldingRegisters(299, 2)).rejects.toMatchObject({ modbusCode: 2 });
  client.setID(99); // Nobody: a gateway says so with exception 11.
  await expect(client.readHoldingRegisters(0, 1)).rejects.toMatchObject({ modbusCode: 11 });
  await new Promise<void>((resolve) => client.close(() => resolve()));
  expect(server.served).toBe(22);
});

test('a port that is taken is refused, and a closed server frees its own', async () => {
  const first = await listen();
  const again = () =>
    ModbusServer.listen({ host: '127.0.0.1', port: first.port, banks: new Map() });
  await expect(again()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await first.close();
  await (await again()).close();
});
