import modbusSerial from 'modbus-serial';
import { expect, test } from 'vitest';
import { loadProfile } from '../device-profiles/loader.ts';
import { SimulatedDevice } from './device.ts';
import { ModbusServer } from './modbus-server.ts';

test('a foreign client reads from a simulated device what was set on it', async () => {
  const gas = new SimulatedDevice(loadProfile('honeywell/sensepoint-xcd'), { strict: true });
  const meter = new SimulatedDevice(loadProfile('eastron/sdm630'));
  const banks = new Map([
    [1, gas],
    [2, meter],
  ]);
  await using server = await ModbusServer.listen({ host: '127.0.0.1', port: 0, banks });
  const client = new modbusSerial.default();
  await client.connectTCP('127.0.0.1', { port: server.port });
  try {
    client.setTimeout(2_000);
    gas.set('gas', 26.5);
    gas.set('temperature', -10);
    client.setID(1);
    const { data, buffer } = await client.readHoldingRegisters(2, 5);
    expect(buffer.readFloatBE(0)).toBe(26.5);
    expect(data[4]).toBe(1);
    expect((await client.readHoldingRegisters(16, 1)).data).toEqual([0xfff6]);
    await expect(client.readHoldingRegisters(6, 2)).rejects.toMatchObject({ modbusCode: 2 });
    expect(gas.served).toBe(8);

    meter.set('voltage-1', 230.25);
    client.setID(2);
    expect((await client.readInputRegisters(0, 2)).buffer.readFloatBE(0)).toBe(230.25);
  } finally {
    await new Promise<void>((resolve) => client.close(() => resolve()));
  }
});
