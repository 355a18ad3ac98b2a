// OPC UA: what the driver and the edge behind it cost beside the library alone, and how soon data is
// back after the server was killed.
//
// One server, 10,000 items that change every 100 ms to 1 s (opcua-items.ts), in a process of its
// own. Its clients come one after the other and again, each with one subscription of the same
// sampling, queue and publishing interval; what each used is divided by the values that the server
// sent it in that time, so that a server that falls behind on a busy machine harms no ratio.
//   bare     node-opcua-client: monitored items with a listener that counts;
//   driver   ours: `connect`, and a poll of each device at the period of its points, thrown away;
//   edge     ours with what stands behind it: collecting, normalising, sealing; no outbox, no uplink.
import { join } from 'node:path';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { quantile } from './figure.ts';
import { changesASecond, ITEMS } from './opcua-items.ts';
import type { Side } from './side.ts';
import { spent } from './side.ts';

const POLICIES = ['None', 'Basic256Sha256'] as const;
type Policy = (typeof POLICIES)[number];
const CLIENTS = ['bare', 'driver', 'edge'] as const;
type Client = (typeof CLIENTS)[number];
const sideOf = { bare: 'opcua-bare', driver: 'opcua-driver', edge: 'opcua-edge' } as const;
const WARM_MS = 6_000;
const MIB = 1024 ** 2;

interface Window {
  readonly valuesACpuS: number;
  readonly valuesAS: number;
  readonly anonymousMiB: number;
  readonly residentMiB: number;
}

async function serverOf(bed: Bed, policy: Policy, items: number, port = 0): Promise<Side> {
  const pkiFolder = join(bed.folder, `server-${policy}`);
  return await bed.side('opcua-server', { items, pkiFolder, port, policy });
}

async function clientOf(bed: Bed, name: Client, server: Side, policy: Policy): Promise<Side> {
  const { endpoint } = await server.ask<{ endpoint: string }>('place');
  const pkiFolder = join(bed.folder, `client-${name}`);
  const settings = { endpoint, items: ITEMS, pkiFolder, policy, how: 'items' };
  return await bed.side(sideOf[name], settings);
}

async function measured(bed: Bed, name: Client, server: Side, policy: Policy): Promise<Window> {
  const client = await clientOf(bed, name, server, policy);
  await sleep(WARM_MS);
  const [before, sentBefore] = [await client.usage(), await server.ask<number>('notified')];
  await sleep(bed.pick(15_000, 4_000));
  const [after, sentAfter] = [await client.usage(), await server.ask<number>('notified')];
  await client.end();
  const { cpuS, wallS } = spent(before, after);
  const values = sentAfter - sentBefore;
  return {
    valuesACpuS: values / cpuS,
    valuesAS: values / wallS,
    anonymousMiB: after.anonymousBytes / MIB,
    residentMiB: after.residentBytes / MIB,
  };
}

async function throughput(bed: Bed): Promise<void> {
  for (const policy of POLICIES) {
    const server = await serverOf(bed, policy, ITEMS);
    const windows: Record<Client, Window[]> = { bare: [], driver: [], edge: [] };
    for (let round = 0; round < bed.pick(3, 1); round++) {
      for (const name of CLIENTS) windows[name].push(await measured(bed, name, server, policy));
    }
    await server.end();
    const median = (name: Client, of: keyof Window) =>
      quantile(
        windows[name].map((window) => window[of]),
        0.5,
      );
    const bare = median('bare', 'valuesACpuS');
    for (const name of CLIENTS) {
      const value = median(name, 'valuesACpuS');
      bed.report({
        name: `values, ${name}, ${policy}`,
        value,
        unit: 'values/CPU-s',
        ...(name === 'driver' && { target: '>= 0.7 of bare' }),
        ...(name !== 'bare' && { ratio: { bare: value / bare } }),
        with: {
          items: ITEMS,
          changesASecond: changesASecond(ITEMS),
          receivedASecond: Math.round(median(name, 'valuesAS')),
          anonymousMiB: Math.round(median(name, 'anonymousMiB')),
          residentMiB: Math.round(median(name, 'residentMiB')),
          rounds: windows[name].length,
        },
      });
    }
  }
}

export const opcuaThroughput: Bench = {
  name: 'opcua-throughput',
  about: 'values a CPU-second and memory with 10,000 OPC UA items, beside the library alone',
  run: throughput,
};

const RECONNECT_ITEMS = 1_000;
const DOWN_MS = 3_000;
const RECONNECT_MS_MAX = 60_000;

/** The server is killed, away for DOWN_MS, and started again without what it knew. */
async function reconnect(bed: Bed): Promise<void> {
  const policy = 'Basic256Sha256';
  let server = await serverOf(bed, policy, RECONNECT_ITEMS);
  const { endpoint, port } = await server.ask<{ endpoint: string; port: number }>('place');
  const pkiFolder = join(bed.folder, 'client-edge');
  const settings = { endpoint, items: RECONNECT_ITEMS, pkiFolder, policy };
  await bed.side('opcua-edge', settings); // Ends with the bed.
  await sleep(WARM_MS);
  const takenMs: number[] = [];
  const sessions: number[] = [];
  for (let round = 0; round < bed.pick(5, 1); round++) {
    await server.kill();
    await sleep(DOWN_MS);
    server = await serverOf(bed, policy, RECONNECT_ITEMS, port);
    const upMs = performance.now();
    while ((await server.ask<number>('notified')) === 0) {
      if (performance.now() - upMs > RECONNECT_MS_MAX) throw new Error('data did not come back');
      await sleep(20);
    }
    takenMs.push(performance.now() - upMs);
    await sleep(3_000);
    const { createSession = 0 } = await server.ask<Record<string, number>>('counts');
    sessions.push(createSession);
  }
  bed.report({
    name: 'data after a restart',
    value: quantile(takenMs, 0.5) / 1_000,
    unit: 's',
    with: {
      items: RECONNECT_ITEMS,
      downS: DOWN_MS / 1_000,
      rounds: takenMs.length,
      worstS: Number((Math.max(...takenMs) / 1_000).toFixed(2)),
      sessionsCreatedMost: Math.max(...sessions),
    },
  });
}

export const opcuaReconnect: Bench = {
  name: 'opcua-reconnect',
  about: 'seconds until data after an OPC UA server was killed and started again; sessions made',
  run: reconnect,
};
