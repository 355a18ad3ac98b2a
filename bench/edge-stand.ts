// An edge to measure: simulated devices, broker, acker and edge, each a process of its own.
import { join } from 'node:path';
import { CLOUD_IDENTITY, makeSecret, secretHash } from '../cloud/registry/registry.ts';
import { systemRandom } from '../core/random.ts';
import type { Bed } from './bench.ts';
import type { Code } from './emitted.ts';
import { benchFolder, unitFlags } from './emitted.ts';
import type { GatewaySite } from './gateway-file.ts';
import type { Side } from './side.ts';
import type { AckerSettings } from './sides/acker.ts';
import type { DevicesSettings } from './sides/devices.ts';
import type { EdgeSettings } from './sides/edge.ts';

export const GATEWAY = 'gw-bench';
const AREA = 'bench';

export interface EdgePlan {
  readonly devices: number;
  readonly registers: number;
  readonly periodMs: number;
  readonly code?: Code;
  readonly outboxSize?: string;
  /** Where the outbox is, when it is not empty. */
  readonly outboxFolder?: string;
  /** Environment of the edge's process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface EdgeStand {
  readonly devices: Side;
  readonly acker: Side;
  readonly edge: Side;
  delivered(): Promise<Delivered>;
  end(): Promise<void>;
}

export interface Delivered {
  readonly records: number;
  readonly readings: number;
  readonly bytes: number;
  readonly duplicates: number;
  readonly live: number;
  readonly backfill: number;
}

export async function standEdge(bed: Bed, plan: EdgePlan): Promise<EdgeStand> {
  const { devices: count, registers, periodMs, code = 'source', outboxSize = '1GiB' } = plan;
  const own = makeSecret(systemRandom);
  const secret = makeSecret(systemRandom);
  const broker = await bed.side('broker', {
    credentials: [
      { name: CLOUD_IDENTITY, sha256: secretHash(own), role: 'cloud' },
      { name: GATEWAY, sha256: secretHash(secret), role: 'gateway', area: AREA },
    ],
  });
  const brokerUrl = `mqtt://127.0.0.1:${await broker.ask<number>('port')}`;
  const acker = await bed.side('acker', {
    ...{ broker: brokerUrl, name: CLOUD_IDENTITY, secret: own },
  } satisfies AckerSettings);
  const devices = await bed.side('devices', {
    ...{ devices: count, registers, answers: 'together', signal: 'walk' },
  } satisfies DevicesSettings);
  const ports = await devices.ask<number[]>('ports');
  const folder = plan.outboxFolder ?? join(bed.folder, 'outbox');
  const site: GatewaySite = {
    ...{ id: GATEWAY, area: AREA, brokerUrl, folder, outboxSize },
    ...{ ports, registers, periodMs, limit: null },
  };
  const settings: EdgeSettings = { site, secret, reportAll: true };
  const environment = plan.environment ?? {};
  const edge = await bed.side('edge', settings, {
    environment,
    folder: benchFolder(code),
    execArgv: unitFlags(),
  });
  const delivered = () => acker.ask<Delivered>('counts');
  const end = async () => {
    for (const side of [edge, devices, acker, broker]) await side.end();
  };
  return { devices, acker, edge, delivered, end };
}
