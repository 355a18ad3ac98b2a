// CPU time a full Modbus TCP read (125 registers) costs the client: ours with 16 in flight, beside
// modbus-serial with 16 in flight and libmodbus (C, one in flight: it has no more), all against one
// server in one run, taking turns so that a busy machine troubles all of them alike.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Bed, Bench } from './bench.ts';
import { compileLibmodbusClient } from './compiled.ts';
import { spent } from './side.ts';
import type { DevicesSettings } from './sides/devices.ts';

export interface AskSettings {
  readonly port: number;
  readonly registers: number;
}

export interface Asked {
  readonly requests: number;
}

const REGISTERS = 125;
const IN_FLIGHT = 16;
const ROUNDS = 5;
const exec = promisify(execFile);

/** CPU microseconds a request, of so many requests. */
type Client = (requests: number) => Promise<number>;

async function client(bed: Bed, name: string, port: number): Promise<Client> {
  const side = await bed.side(name, { port, registers: REGISTERS } satisfies AskSettings);
  return async (requests) => {
    const before = await side.usage();
    const asked = await side.ask<Asked>('ask', requests);
    return (1_000_000 * spent(before, await side.usage()).cpuS) / asked.requests;
  };
}

/** Null where libmodbus or a compiler is missing. */
function libmodbus(bed: Bed, port: number): Client | null {
  const binary = compileLibmodbusClient(bed);
  if (!binary) return null;
  return async (requests) => {
    const { stdout } = await exec(binary, [`${port}`, `${REGISTERS}`, `${requests}`]);
    return Number(stdout) / requests;
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, it) => sum + it, 0) / values.length;

async function run(bed: Bed): Promise<void> {
  for (const answers of ['together', 'apart'] as const) await against(bed, answers);
}

async function against(bed: Bed, answers: DevicesSettings['answers']): Promise<void> {
  const registers = IN_FLIGHT * REGISTERS;
  const settings: DevicesSettings = { devices: 1, registers, answers, signal: 'still' };
  const devices = await bed.side('devices', settings);
  const [port = 0] = await devices.ask<number[]>('ports');
  const foreign = libmodbus(bed, port);
  const clients: readonly (readonly [string, Client])[] = [
    ['ours', await client(bed, 'modbus-client', port)],
    ['modbus-serial', await client(bed, 'modbus-serial-client', port)],
    ...(foreign ? [['libmodbus', foreign] as const] : []),
  ];
  const requests = bed.pick(20_000, 4_000);
  const costs = new Map<string, number[]>(clients.map(([name]) => [name, []]));
  for (const [, ask] of clients) await ask(requests / 2); // What is compiled late, is compiled now.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, ask] of clients) costs.get(name)!.push(await ask(requests));
  }
  const ours = mean(costs.get('ours')!);
  const serial = mean(costs.get('modbus-serial')!);
  const c = mean(costs.get('libmodbus') ?? []);
  const unit = 'CPU-us/request';
  bed.report({
    name: `ours, answers ${answers}`,
    value: ours,
    unit,
    target: '<= 0.5 of libmodbus, <= 0.15 of modbus-serial',
    ratio: { ...(foreign && { libmodbus: ours / c }), 'modbus-serial': ours / serial },
    with: { registers: REGISTERS, inFlight: IN_FLIGHT },
  });
  const beside = { registers: REGISTERS, inFlight: IN_FLIGHT };
  bed.report({ name: `modbus-serial, answers ${answers}`, value: serial, unit, with: beside });
  if (!foreign) return;
  const one = { registers: REGISTERS, inFlight: 1 };
  bed.report({ name: `libmodbus, answers ${answers}`, value: c, unit, with: one });
}

export const modbusRequest: Bench = {
  name: 'modbus-request',
  about: 'CPU a read of 125 registers, 16 in flight, beside modbus-serial and libmodbus',
  run,
};
