// modbus-serial as a foreign peer, in this process.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import modbusSerial, { ServerSerial, ServerTCP } from 'modbus-serial';
import type { Numbers, Over } from './exchanges.ts';
import { memory, UNIT } from './exchanges.ts';
import type { Client, Peer, Place, Served } from './peers.ts';

const manifest = new URL('../../node_modules/modbus-serial/package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
const TIMEOUT_MS = 3_000;
const SERIAL = { baudRate: 115_200 };

export const modbusSerialPeer: Peer = {
  name: 'modbus-serial',
  version,
  asksOver: ['tcp', 'rtu', 'ascii'],
  servesOver: ['tcp', 'rtu'],
  ask: askWith,
  serve: serveWith,
};

async function askWith(place: Place): Promise<Client> {
  const client = new modbusSerial.default();
  if (place.over === 'tcp') await client.connectTCP('127.0.0.1', { port: place.port });
  else if (place.over === 'rtu') await client.connectRTUBuffered(place.path, SERIAL);
  else await client.connectAsciiSerial(place.path, SERIAL);
  client.setID(UNIT);
  client.setTimeout(TIMEOUT_MS);
  return {
    ask: async (request) => {
      try {
        return await answerOf(client, request);
      } catch (error) {
        const { modbusCode, message } = error as { modbusCode?: number; message: string };
        return modbusCode === undefined ? `error ${message}` : `exception ${modbusCode}`;
      }
    },
    close: () => new Promise((resolve) => client.close(() => resolve())),
  };
}

/** Function 23 is there; its types forgot it. */
interface ReadsAndWrites {
  readWriteRegisters(
    address: number,
    count: number,
    to: number,
    written: number,
    values: readonly number[],
  ): Promise<{ readonly data: readonly number[] }>;
}
type Bare = InstanceType<typeof modbusSerial.default>;

async function answerOf(client: Bare, [code, address = 0, ...rest]: Numbers): Promise<string> {
  const [count = 0, second = 0] = rest;
  const ok = (values: readonly (number | boolean)[] = []) =>
    ['ok', ...values.map(Number)].join(' ');
  switch (code) {
    case 1:
      return ok((await client.readCoils(address, count)).data.slice(0, count));
    case 2:
      return ok((await client.readDiscreteInputs(address, count)).data.slice(0, count));
    case 3:
      return ok((await client.readHoldingRegisters(address, count)).data);
    case 4:
      return ok((await client.readInputRegisters(address, count)).data);
    case 5:
      return ok((await client.writeCoil(address, count === 1)) && []);
    case 6:
      return ok((await client.writeRegister(address, count)) && []);
    case 15:
      return ok((await client.writeCoils(address, rest.map(Boolean))) && []);
    case 16:
      return ok((await client.writeRegisters(address, [...rest])) && []);
    case 22:
      return ok((await client.maskWriteRegister(address, count, second)) && []);
    case 23: {
      const [, to = 0, ...values] = rest;
      return ok(
        (
          await (client as Bare & ReadsAndWrites).readWriteRegisters(
            address,
            count,
            to,
            values.length,
            values,
          )
        ).data,
      );
    }
    default: {
      const { data } = await client.readDeviceIdentification(address, count);
      return `ok ${Object.entries(data)
        .map(([id, text]) => `${id}=${text}`)
        .join('|')}`;
    }
  }
}

async function serveWith(over: Over, path: string): Promise<Served> {
  const bank = memory();
  const refuse = (code: number) =>
    Object.assign(new RangeError('beyond'), { modbusErrorCode: code });
  const read = (table: 'coil' | 'discrete' | 'holding' | 'input') => (at: number) => {
    const values = bank.read(table, at, 1);
    if (typeof values === 'number') throw refuse(values);
    return values[0]!;
  };
  const write = (table: 'coil' | 'holding') => async (at: number, value: number | boolean) => {
    const code = bank.write(table, at, Uint16Array.of(Number(value)));
    if (code !== 0) throw refuse(code);
  };
  const texts = [...bank.identification!].filter(([id]) => id < 3);
  const vector = {
    getCoil: (at: number) => read('coil')(at) === 1,
    getDiscreteInput: (at: number) => read('discrete')(at) === 1,
    getHoldingRegister: read('holding'),
    getInputRegister: read('input'),
    setCoil: write('coil'),
    setRegister: write('holding'),
    readDeviceIdentification: () => Object.fromEntries(texts),
  };
  const port = over === 'tcp' ? await freePort() : null;
  const server =
    port === null
      ? new ServerSerial(vector, { ...SERIAL, path, unitID: UNIT })
      : new ServerTCP(vector, { host: '127.0.0.1', port, unitID: UNIT });
  const failed = once(server, port === null ? 'error' : 'serverError');
  await Promise.race([
    once(server, 'initialized'),
    failed.then(([error]) => Promise.reject(error)),
  ]);
  return { port, end: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Its server takes port 0 for its default. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
