// Our server, asked by clients nobody here wrote.
import modbusSerial from 'modbus-serial';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Foreign } from '../protocols/modbus/foreign.contract.ts';
import {
  askForeign,
  FOREIGN_SIZE,
  FOREIGN_UNIT,
  libmodbus,
  pymodbus,
} from '../protocols/modbus/foreign.contract.ts';
import type { RegisterBank } from './modbus-answer.ts';
import { ModbusServer } from './modbus-server.ts';

class Memory implements RegisterBank {
  readonly #tables = {
    coil: Uint16Array.from({ length: FOREIGN_SIZE }, (_, at) => (at % 3 === 0 ? 1 : 0)),
    discrete: Uint16Array.from({ length: FOREIGN_SIZE }, (_, at) => at & 1),
    holding: Uint16Array.from({ length: FOREIGN_SIZE }, (_, at) => at * 257),
    input: Uint16Array.from({ length: FOREIGN_SIZE }, (_, at) => 60_000 + at),
  };
  readonly identification = new Map([
    [0, 'Example Instruments'],
    [1, 'LF-100'],
    [2, '1.4'],
    [5, 'beyond basic'],
  ]);

  read(table: keyof Memory['table'], address: number, count: number): Uint16Array | number {
    if (address + count > FOREIGN_SIZE) return 2;
    return this.#tables[table].subarray(address, address + count);
  }

  write(table: keyof Memory['table'], address: number, values: Uint16Array): number {
    if (address + values.length > FOREIGN_SIZE) return 2;
    this.#tables[table].set(values, address);
    return 0;
  }

  get table() {
    return this.#tables;
  }
}

let memory = new Memory();
beforeEach(() => {
  memory = new Memory();
});

const listen = () =>
  ModbusServer.listen({ host: '127.0.0.1', port: 0, banks: new Map([[FOREIGN_UNIT, memory]]) });

const foreigners = [pymodbus(), libmodbus()].filter((peer): peer is Foreign => peer !== null);
afterAll(() => foreigners.forEach((peer) => void peer.remove()));

describe('clients nobody here wrote', () => {
  test.each(foreigners)('$name reads and writes our server', async (peer) => {
    await using server = await listen();
    const told = (await askForeign(peer, server.port)) as Record<string, unknown>;
    expect(told).toMatchObject({
      coils: [true, false, false, true, false, false, true, false, false, true],
      discrete: [false, true, false, true, false, true, false, true, false, true],
      holding: Array.from({ length: 125 }, (_, at) => (at * 257) & 0xffff),
      input: [60_005, 60_006, 60_007],
      beyond: 2,
      nobody: 11,
      written: [(4711 & 0xff00) | 0x42, 1, 99, 3],
      writtenCoils: [true, true, false, true, true, true, false, false],
    });
    if (peer.name === 'pymodbus') {
      expect(told['identification']).toEqual(['Example Instruments', 'LF-100', '1.4']);
    }
    expect(server.served).toBeGreaterThanOrEqual(13);
  });

  test('modbus-serial reads and writes our server, sixteen requests at once', async () => {
    await using server = await listen();
    const client = new modbusSerial.default();
    await client.connectTCP('127.0.0.1', { port: server.port });
    client.setID(FOREIGN_UNIT);
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
    expect([...memory.table.holding.subarray(0, 2), memory.table.coil[1]]).toEqual([7, 8, 1]);
    await expect(client.readHoldingRegisters(299, 2)).rejects.toMatchObject({ modbusCode: 2 });
    await new Promise<void>((resolve) => client.close(() => resolve()));
    expect(server.served).toBe(21);
  });
});

test('a port that is taken is refused, and a closed server frees its own', async () => {
  const first = await listen();
  const again = () =>
    ModbusServer.listen({ host: '127.0.0.1', port: first.port, banks: new Map() });
  await expect(again()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await first.close();
  await (await again()).close();
});
