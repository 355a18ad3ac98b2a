// The items of the OPC UA benches: so many nodes, each changing with its own period, between 100 ms
// and 1 s. Server, driver and bare client are told the same.

/** A share of the items and how often they change, are sampled and are polled. */
export const itemMix = [
  { share: 0.1, periodMs: 100 },
  { share: 0.2, periodMs: 200 },
  { share: 0.3, periodMs: 500 },
  { share: 0.4, periodMs: 1_000 },
] as const;
export const ITEMS = 10_000;
export const NAMESPACE = 'urn:lifeline:bench';
/** As a controller behind a server has them. */
export const POINTS_A_DEVICE = 100;
/** Of the subscription, on both sides. */
export const PUBLISHING_MS = 100;

export interface ItemGroup {
  readonly periodMs: number;
  /** Places of its items, [from, to). */
  readonly from: number;
  readonly to: number;
}

export function itemGroups(items: number): readonly ItemGroup[] {
  let from = 0;
  return itemMix.map(({ share, periodMs }) => {
    const group = { periodMs, from, to: from + Math.round(share * items) };
    from = group.to;
    return group;
  });
}

/** Changes a second of all items together. */
export function changesASecond(items: number): number {
  return itemGroups(items).reduce(
    (sum, { from, to, periodMs }) => sum + ((to - from) * 1_000) / periodMs,
    0,
  );
}

/** In the folder of the station, as a path from Objects. */
export function itemName(place: number): string {
  return `Item${place}`;
}

/** Profiles of devices of POINTS_A_DEVICE items each, all of one period, by id. */
export function profileTexts(items: number): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { periodMs, from, to } of itemGroups(items)) {
    for (let first = from; first < to; first += POINTS_A_DEVICE) {
      const id = `bench/items-${first}`;
      const places = Array.from(
        { length: Math.min(POINTS_A_DEVICE, to - first) },
        (_, at) => first + at,
      );
      const points = places.map((place) => [
        `i${place}`,
        {
          title: { en: `Item ${place}`, zh: `测点 ${place}` },
          read: {
            id: `b:s=Bench.${itemName(place)}`,
            type: 'double',
            sampling: `${periodMs}ms`,
            queue: 2,
          },
          poll: `${periodMs}ms`,
        },
      ]);
      texts.set(id, JSON.stringify({ ...profileHead(id), points: Object.fromEntries(points) }));
    }
  }
  return texts;
}

function profileHead(id: string) {
  return {
    version: 1,
    profile: {
      id,
      revision: '1.0.0',
      kind: 'input-module',
      vendor: 'bench',
      models: ['items of a server'],
      title: { en: 'Items of a server', zh: '服务器测点' },
      source: {
        document: 'none',
        link: 'https://reference.opcfoundation.org/',
        status: 'community',
      },
    },
    protocol: 'opcua',
    device: { namespaces: { b: NAMESPACE } },
  };
}

export function gatewayText(endpoint: string, items: number, policy: string): string {
  const security = policy === 'None' ? { policy, mode: 'None' } : { policy };
  return JSON.stringify({
    version: 1,
    gateway: { id: 'gw-bench', area: 'bench', name: { en: 'Bench', zh: '测试台' } },
    cloud: { url: 'mqtt://127.0.0.1:1', credentials: '${env:NONE}' },
    outbox: { folder: '/nonexistent', size: '1GiB' },
    status: { port: 0 },
    links: {
      server: {
        protocol: 'opcua',
        kind: 'opcua',
        endpoint,
        security,
        ...(policy === 'None' && { insecure: true }),
        publishing: `${PUBLISHING_MS}ms`,
      },
    },
    devices: [...profileTexts(items).keys()].map((id) => ({
      id: id.replace('bench/', ''),
      link: 'server',
      profile: `${id}@1`,
      asset: `bench/gw-bench/${id.replace('bench/', '')}`,
    })),
  });
}
