// A gateway of so many devices of so many registers, as a file and a profile would say it: parsed
// by the same code, so nothing in force here is out of reach for a real site.
import type { PointClass } from '../core/reading.ts';
import type { Profiles } from '../edge/config/device.ts';
import type { GatewayConfig } from '../edge/config/gateway.ts';

export interface GatewaySite {
  readonly id: string;
  readonly area: string;
  readonly brokerUrl: string;
  readonly folder: string;
  readonly outboxSize: string;
  /** One device behind each. */
  readonly ports: readonly number[];
  readonly registers: number;
  readonly periodMs: number;
  /** A high limit on every register, without delay; null for no rules. */
  readonly limit: number | null;
  /** Trend when left out. */
  readonly pointClass?: PointClass;
}

export const PROFILE = 'bench/registers';

export function gatewayText(site: GatewaySite): string {
  const { id, area, brokerUrl, folder, outboxSize, ports, periodMs } = site;
  return JSON.stringify({
    version: 1,
    gateway: { id, area, name: { en: 'Bench', zh: '测试台' } },
    cloud: { url: brokerUrl, credentials: '${env:NONE}' },
    outbox: { folder, size: outboxSize },
    status: { port: 0 },
    links: Object.fromEntries(
      ports.map((port, at) => [
        `link-${at}`,
        { protocol: 'modbus', kind: 'tcp', host: '127.0.0.1', port, answer: '1ms' },
      ]),
    ),
    devices: ports.map((_, at) => ({
      id: `device-${at}`,
      link: `link-${at}`,
      unit: 1,
      profile: `${PROFILE}@1`,
      asset: `${area}/${id}/device-${at}`,
      poll: `${periodMs}ms`,
    })),
  });
}

/** The profile of a device of registers in a row. */
export function profileText({
  registers,
  limit,
  pointClass = 'trend',
}: Pick<GatewaySite, 'registers' | 'limit' | 'pointClass'>): string {
  const high = { raise: limit, clear: (limit ?? 0) - 10, delay: '0s', level: 2 };
  const points = Array.from({ length: registers }, (_, address) => [
    `r${address}`,
    {
      title: { en: `Register ${address}`, zh: `寄存器 ${address}` },
      read: { table: 'holding', address, type: 'uint16' },
      scale: 0.1,
      unit: 'kPa',
      range: [0, 6553.5],
      class: pointClass,
      ...(limit !== null && { alarms: { high } }),
    },
  ]);
  return JSON.stringify({
    version: 1,
    profile: {
      id: PROFILE,
      revision: '1.0.0',
      kind: 'input-module',
      vendor: 'bench',
      models: ['registers in a row'],
      title: { en: 'Registers in a row', zh: '连续寄存器' },
      source: { document: 'none', link: 'https://modbus.org/specs.php', status: 'community' },
    },
    protocol: 'modbus',
    device: { unit: 1 },
    points: Object.fromEntries(points),
  });
}

interface Parsers {
  readonly parseGateway: typeof import('../edge/config/gateway.ts').parseGateway;
  readonly parseProfile: typeof import('../device-profiles/profile.ts').parseProfile;
}

/** `parsers` of the source or of the emitted JavaScript. */
export function gatewayOf(
  site: GatewaySite,
  { parseGateway, parseProfile }: Parsers,
): GatewayConfig {
  const text = profileText(site);
  const profile = parseProfile(text, PROFILE);
  const profiles: Profiles = { ids: [PROFILE], load: () => profile, text: () => text };
  return parseGateway(gatewayText(site), 'bench-gateway.yaml', profiles);
}
