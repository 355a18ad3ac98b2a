// A device that speaks OPC UA, from its profile: `sim device` for profiles of that protocol.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { Fault, systemDetail } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type { Profile } from '../device-profiles/profile.ts';
import type { SimulatedFault } from '../simulators/faults.ts';
import { isDeviceFault, isServerFault, playFaults } from '../simulators/faults.ts';
import { OpcUaDevice } from '../simulators/opcua-device.ts';
import type { OpcUaCertificate, SimulatedOpcUa } from '../simulators/opcua-server.ts';
import { openOpcUaServer } from '../simulators/opcua-server.ts';
import { aborted, tellParent } from './child.ts';
import { faultsFrom } from './sim-faults.ts';
import type { Given, Output } from './verb.ts';
import { exit, UsageError } from './verb.ts';

const PORT = 4840; // Registered for OPC UA.
const STEP_MS = 200;
const SESSIONS_USUAL = 100;

export interface OpcUaRun {
  readonly host: string;
  readonly profile: Profile;
  /** Sets all points to where they are so long after the start. */
  readonly move: (
    profile: Profile,
    set: (point: string, value: number) => void,
    passedMs: number,
  ) => void;
  readonly values: ReadonlyMap<string, boolean | number>;
}

export async function runOpcUaDevice(
  given: Given,
  output: Output,
  signal: AbortSignal,
  { host, profile, move, values }: OpcUaRun,
): Promise<number> {
  for (const option of ['unit', 'seed'] as const) {
    if (given.number(option) === undefined) continue;
    throw new UsageError(bilingual('sim-opcua-option', { option, protocol: 'Modbus' }));
  }
  const device = new OpcUaDevice(profile);
  for (const [point, value] of values) device.set(point, value);
  const faults = faultsFrom(given.list('fault'), { on: 'opcua' });
  const port = given.number('port') ?? PORT;
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-sim-opcua-'));
  try {
    const server = await opened({ host, port, folder, device, faults });
    device.show(server.space);
    const stopFaults = playFaults(systemClock, faults, (now) => show(server, device, now));
    output.note(output.say('cli-listening', { name: profile.id, address: server.endpoint }));
    tellParent({ kind: 'ready', facts: { port: server.port } });
    const startMs = systemClock.monoMs();
    while (given.flag('move') && !signal.aborted) {
      move(profile, (point, value) => device.set(point, value), systemClock.monoMs() - startMs);
      await systemClock.sleep(STEP_MS, signal);
    }
    await aborted(signal);
    stopFaults();
    await server.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return exit.done;
}

async function opened(options: {
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly device: OpcUaDevice;
  readonly faults: readonly SimulatedFault[];
}): Promise<SimulatedOpcUa> {
  const { host, port, folder, device, faults } = options;
  const has = (kind: SimulatedFault['kind']) => faults.some((fault) => fault.kind === kind);
  const certificate: OpcUaCertificate = {
    ...(has('expired-certificate') && { fromDays: -400, days: 365 }),
    ...(has('foreign-certificate') && { hosts: ['another-host.invalid'] }),
  };
  try {
    return await openOpcUaServer({ host, port, pkiFolder: folder, certificate, ...device.space() });
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('sim_bind', 'later', systemDetail(`${host}:${port}`, error), error);
  }
}

/** What is wrong with it from now on. */
function show(server: SimulatedOpcUa, device: OpcUaDevice, now: readonly SimulatedFault[]): void {
  const faults = now.filter(isServerFault);
  const find = (kind: SimulatedFault['kind']) => faults.find((fault) => fault.kind === kind);
  const wanted = find('hung') ? 'all' : find('no-publish') ? 'publish' : null;
  if (server.frozen !== wanted) {
    if (server.frozen) server.thaw();
    if (wanted) server.freeze(wanted);
  }
  const limit = find('session-limit');
  server.maxSessions = limit?.kind === 'session-limit' ? limit.sessions : SESSIONS_USUAL;
  const clock = find('clock-off');
  server.clockOffMs = clock?.kind === 'clock-off' ? clock.seconds * 1_000 : 0;
  device.thaw();
  for (const fault of now.filter(isDeviceFault)) {
    if (fault.kind === 'frozen')
      device.freeze(fault.point === undefined ? undefined : [fault.point]);
  }
  const bad = faults.flatMap((fault) => (fault.kind === 'bad-status' ? [fault.point ?? null] : []));
  const all = device.profile.points.map(({ id }) => id);
  device.spoil(bad.includes(null) ? all : bad.filter((point) => point !== null));
}
