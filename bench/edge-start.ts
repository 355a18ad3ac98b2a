// From starting the process to the first reading on disk: emitted JavaScript where it was built, 20
// devices of 10 life-safety points, the cloud away. With an empty outbox, and with the 1 GB that an
// earlier run left; the median of several starts.
import { join } from 'node:path';
import { fillOutbox } from './backlog.ts';
import type { Bed, Bench } from './bench.ts';
import { benchFolder, codeToRun, unitEnvironment, unitFlags } from './emitted.ts';
import { quantile } from './figure.ts';
import type { GatewaySite } from './gateway-file.ts';
import type { DevicesSettings } from './sides/devices.ts';
import type { EdgeSettings } from './sides/edge.ts';

const DEVICES = 20;
const REGISTERS = 10;
const STARTS = 9;
const OUTBOX = { size: '4GiB', bytes: 4 * 1024 ** 3 };
/** Nothing listens there: port 9 of the loopback is refused at once. */
const NO_BROKER = 'mqtt://127.0.0.1:9';

async function run(bed: Bed): Promise<void> {
  const devices = await bed.side('devices', {
    ...{ devices: DEVICES, registers: REGISTERS, answers: 'together', signal: 'walk' },
  } satisfies DevicesSettings);
  const ports = await devices.ask<number[]>('ports');
  const place = { id: 'gw-bench', area: 'bench', brokerUrl: NO_BROKER, outboxSize: OUTBOX.size };
  const site = (folder: string): GatewaySite => ({
    ...{ ...place, folder: join(bed.folder, folder), ports, registers: REGISTERS },
    ...{ periodMs: 1_000, limit: null, pointClass: 'life-safety' },
  });
  await reportStarts(bed, 'empty outbox', site('empty'), { target: '<= 400' });
  const bytes = bed.pick(1024 ** 3, 64 * 1024 ** 2);
  const full = site('full');
  const began = performance.now();
  const backlogRecords = fillOutbox({
    ...{ folder: full.folder, bytes, bytesMax: OUTBOX.bytes, records: 'repeated' },
  });
  bed.note(`a backlog of ${bytes} bytes took ${Math.round(performance.now() - began)} ms to make`);
  const about = { backlogRecords, backlogMiB: Math.round(bytes / 1024 ** 2) };
  await reportStarts(bed, 'backlog of 1 GB', full, { target: '<= 1000', with: about });
}

async function reportStarts(
  bed: Bed,
  name: string,
  site: GatewaySite,
  more: { readonly target: string; readonly with?: Readonly<Record<string, number>> },
): Promise<void> {
  const code = codeToRun();
  const settings: EdgeSettings = { site, secret: 'none', reportAll: false };
  const folder = benchFolder(code);
  const environment = unitEnvironment(bed.folder);
  const times: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    const beganMs = Date.now();
    const edge = await bed.side('edge', settings, { folder, environment, execArgv: unitFlags() });
    times.push((await edge.ask<number>('firstDurableMs')) - beganMs);
    // The first start fills the cache of compiled code, and ends in order to write it.
    if (start === 0) await edge.end();
    else await edge.kill();
  }
  const about = {
    code,
    starts: STARTS,
    bestMs: Math.min(...times),
    worstMs: Math.max(...times),
    ...more.with,
  };
  const value = quantile(times, 0.5);
  bed.report({ name, value, unit: 'ms', target: more.target, with: about });
}

export const edgeStart: Bench = {
  name: 'edge-start',
  about: 'from starting the edge to the first reading on disk, also with a backlog of 1 GB',
  run,
};
