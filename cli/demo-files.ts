// The files of the demo city, written anew at each start because ports may differ: three gateway
// files, the cloud's file, how to reach the API. Secrets are made once, each its own, and stay.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from '../cloud/registry/registry.ts';
import { systemClock } from '../core/clock.ts';
import { systemRandom } from '../core/random.ts';
import { makeFolders, pemBlock, trustedFolder, writeWhole } from '../edge/links/opcua-pki.ts';
import type { Site } from '../simulators/city.ts';
import { sites } from '../simulators/city.ts';

export interface DemoPorts {
  readonly api: number;
  readonly broker: number;
  /** Where each gateway meets the broker, when that is not at the broker's own port. */
  readonly uplink?: Readonly<Record<Site, number>>;
  readonly receiver: number;
  readonly devices: Readonly<Record<Site, number>>;
  /** Of the pump station over OPC UA; absent: the city has none. */
  readonly station?: number;
  readonly status: Readonly<Record<Site, number>>;
  /** Default true; false where every reading is to be one that a device has served. */
  readonly hasPathTests?: boolean;
}

/** What a person set for the places of this city, over the defaults of the profiles. */
interface Place {
  readonly id: string;
  readonly unit: number;
  readonly profile: string;
  readonly asset: string;
  readonly en: string;
  readonly zh: string;
  readonly set?: Readonly<Record<string, string | number>>;
}

const harbourLimits = {
  'points.pressure.alarms.low.raise': 2.5,
  'points.pressure.alarms.low.clear': 3,
  'points.pressure.alarms.low.delay': '3s',
  'points.pressure.alarms.low.level': 2,
};

const bearingLimits = {
  'points.angle-x.alarms.high.delay': '3s',
  'points.angle-x.alarms.high_high.delay': '3s',
};

const places: Readonly<Record<Site, readonly Place[]>> = {
  gas: [6, 7, 8].map((number) => ({
    id: `well-0${number}`,
    unit: number - 5,
    profile: 'honeywell/sensepoint-xcd@1',
    asset: `gas/MP-1193/well-0${number}`,
    en: `Manhole 0${number} beside the gas main`,
    zh: `0${number} 号燃气相邻井`,
  })),
  water: [
    ...(
      [
        ['market', '市场路'],
        ['hospital', '医院路'],
        ['school', '学校路'],
        ['harbour', '港口'],
      ] as const
    ).map(([node, zh], at) => ({
      id: `pressure-${node}`,
      unit: at + 1,
      profile: 'keller/series-30@1',
      asset: `water/DMA-4/${node}`,
      en: `Pressure at the ${node}`,
      zh: `${zh}管网压力`,
      ...(node === 'harbour' && { set: harbourLimits }),
    })),
    ...(
      [
        ['main-1', '主管一'],
        ['branch', '港口支管'],
      ] as const
    ).map(([pipe, zh], at) => ({
      id: `flow-${pipe}`,
      unit: at + 11,
      profile: 'tuf/tuf-2000m@1',
      asset: `water/DMA-4/${pipe}`,
      en: `Flow in ${pipe}`,
      zh: `${zh}流量`,
    })),
    {
      id: 'pump-power',
      unit: 21,
      profile: 'eastron/sdm630@1',
      asset: 'water/DMA-4/station',
      en: 'Power of the pumping station',
      zh: '泵站电力',
    },
  ],
  bridge: (
    [
      ['bearing-west', 'West bearing', '西侧支座'],
      ['bearing-east', 'East bearing', '东侧支座'],
    ] as const
  ).map(([id, en, zh], at) => ({
    id,
    unit: at + 1,
    profile: 'witmotion/wt901c485@1',
    asset: `bridge/B-17/${id}`,
    en,
    zh,
    set: bearingLimits,
  })),
};

const siteNames: Readonly<Record<Site, { readonly en: string; readonly zh: string }>> = {
  gas: { en: 'Gas main MP-1193', zh: '燃气中压管 MP-1193' },
  water: { en: 'Water district DMA-4', zh: '供水分区 DMA-4' },
  bridge: { en: 'Bridge B-17', zh: 'B-17 号桥' },
};

const STATION_TRUST = 'pki-water';

/** The pump station, which the gateway of the water reaches over OPC UA. */
const stationDevice = {
  id: 'pump-station',
  link: 'station',
  profile: 'generic/pump-station@1',
  asset: 'water/DMA-4/station',
  name: { en: 'Pumping station', zh: '加压泵站' },
  poll: '1s',
  commands: { allow: ['*'] },
};

export function gatewayId(site: Site): string {
  return `gw-${site}`;
}

/**
 * Limits whose crossing the plant reports, so that an alarm's way can be timed from the register
 * on.
 */
export const watched = [
  { device: 'pressure-harbour', point: 'pressure', rule: 'low', side: 'below', limit: 2.5 },
  { device: 'well-07', point: 'gas', rule: 'high', side: 'above', limit: 25 },
  { device: 'well-07', point: 'gas', rule: 'high-high', side: 'above', limit: 50 },
  { device: 'bearing-west', point: 'angle-x', rule: 'high', side: 'above', limit: 0.2 },
  { device: 'bearing-west', point: 'angle-x', rule: 'high-high', side: 'above', limit: 0.3 },
] as const;

// JSON is YAML: written so, no value can be read as something else.
function gatewayFile(site: Site, ports: DemoPorts): string {
  const station = site === 'water' ? ports.station : undefined;
  const link = {
    protocol: 'opcua',
    kind: 'opcua',
    endpoint: `opc.tcp://127.0.0.1:${station}`,
    publishing: '250ms',
  };
  const file = {
    version: 1,
    gateway: { id: gatewayId(site), area: 'demo', name: siteNames[site] },
    cloud: {
      url: `mqtt://127.0.0.1:${ports.uplink?.[site] ?? ports.broker}`,
      credentials: `\${secret:${gatewayId(site)}}`,
    },
    outbox: { folder: `outbox-${site}`, size: '256MiB' },
    status: { port: ports.status[site] },
    ...(ports.hasPathTests !== false && { path_test: { every: '30s' } }),
    links: {
      bus: { protocol: 'modbus', kind: 'tcp', host: '127.0.0.1', port: ports.devices[site] },
      ...(station && { station: link }),
    },
    ...(station && { pki: { folder: STATION_TRUST } }),
    devices: [
      ...(station ? [stationDevice] : []),
      ...places[site].map(({ id, unit, profile, asset, en, zh, set }) => ({
        id,
        link: 'bus',
        unit,
        profile,
        asset,
        name: { en, zh },
        poll: '1s',
        ...(set && { set }),
      })),
    ],
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function cloudFile(ports: DemoPorts): string {
  const desk = {
    id: 'desk',
    kind: 'webhook',
    url: `http://127.0.0.1:${ports.receiver}/`,
    secret: '${secret:desk}',
  };
  const file = {
    version: 1,
    cloud: {
      folder: 'cloud',
      broker: { embedded: { port: ports.broker } },
      api: { port: ports.api },
      notify: { receivers: [desk, { id: 'log', kind: 'log' }], routes: [{ to: ['desk', 'log'] }] },
    },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

export interface DemoFiles {
  readonly cloud: string;
  readonly gateways: Readonly<Record<Site, string>>;
  readonly deskSecret: string;
  /** Key and certificate of the station's server. */
  readonly stationPki: string;
  readonly logs: string;
  readonly url: string;
  readonly token: string;
}

/** Makes what is missing in a data folder and writes the files for these ports. */
export function writeDemoFiles(data: string, ports: DemoPorts): DemoFiles {
  const secrets = join(data, 'secrets');
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const url = `http://127.0.0.1:${ports.api}`;
  const token = makeSecrets(data, secrets);
  const gateways = Object.fromEntries(
    sites.map((site) => {
      const path = join(data, `${gatewayId(site)}.yaml`);
      writeFileSync(path, gatewayFile(site, ports));
      return [site, path];
    }),
  ) as Record<Site, string>;
  const cloud = join(data, 'cloud.yaml');
  writeFileSync(cloud, cloudFile(ports));
  writePrivate(join(data, 'access.json'), `${JSON.stringify({ url, token })}\n`);
  return {
    cloud,
    gateways,
    deskSecret: join(secrets, 'desk'),
    stationPki: join(data, 'pump-station'),
    logs: join(data, 'logs'),
    url,
    token,
  };
}

/**
 * The gateway of the water believes the station from now on: here the demo is the person who
 * looks at a certificate and says yes. PEM block of the server's certificate.
 */
export function trustStation(data: string, certificate: Uint8Array): void {
  const folder = join(data, STATION_TRUST);
  makeFolders(folder);
  writeWhole(join(trustedFolder(folder), 'pump-station.pem'), pemBlock(certificate));
}

// The cloud is not running yet, so its registry can be opened here.
function makeSecrets(data: string, secrets: string): string {
  const registry = new Registry(systemRandom, join(data, 'cloud', 'registry'));
  try {
    const enrolled = new Set(registry.gateways().map(({ id }) => id));
    for (const site of sites) {
      const path = join(secrets, gatewayId(site));
      if (existsSync(path) && enrolled.has(gatewayId(site))) continue;
      writePrivate(path, registry.enrolGateway('demo', gatewayId(site), systemClock.wallMs()));
    }
    const desk = join(secrets, 'desk');
    if (!existsSync(desk)) {
      const key = Buffer.from(systemRandom.bytes(32)).toString('base64');
      writePrivate(desk, `whsec_${key}`);
    }
    const tokenPath = join(secrets, 'demo-token');
    const known = existsSync(tokenPath) ? readFileSync(tokenPath, 'utf8').trim() : '';
    if (known && registry.authenticate(known)) return known;
    const demo = { name: 'demo', right: 'administer', scope: '' } as const;
    const token = registry.issueToken(demo, systemClock.wallMs());
    writePrivate(tokenPath, token);
    return token;
  } finally {
    registry.close();
  }
}

function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}
