// A cloud to send to: the broker and the cloud as processes of their own, gateways enrolled, a
// token to ask with.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { FILES_BYTES_DEFAULT } from '../cloud/cases/attachments.ts';
import { defaultLimits } from '../cloud/cases/case.ts';
import type { CloudConfig } from '../cloud/config.ts';
import { NOTHING_TOLD, type NotifySettings } from '../cloud/notify/settings.ts';
import type { Principal } from '../cloud/registry/registry.ts';
import { CLOUD_IDENTITY, makeSecret, Registry, secretHash } from '../cloud/registry/registry.ts';
import { systemRandom } from '../core/random.ts';
import type { Bed } from './bench.ts';
import type { Side } from './side.ts';
import type { BrokerSettings } from './sides/broker.ts';

export const AREA = 'bench';
/** What a person looks at: one device of the first gateway. */
export const WATCHED_ASSET = `${AREA}/gw-1/device-0`;
const INBOX_BYTES = 1024 ** 3;

export interface CloudStand {
  readonly broker: Side;
  readonly cloud: Side;
  readonly brokerUrl: string;
  readonly apiUrl: string;
  readonly token: string;
  /** Sees WATCHED_ASSET only. */
  readonly scopedToken: string;
  readonly gateways: readonly { readonly id: string; readonly secret: string }[];
  /** To start it again over what is on disk. */
  readonly config: CloudConfig;
  /** Readings a query to the store finds. */
  stored(): Promise<number>;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** All of a list of the API. */
export async function allPages<Item>(
  { apiUrl, token }: Pick<CloudStand, 'apiUrl' | 'token'>,
  path: string,
): Promise<Item[]> {
  const items: Item[] = [];
  const headers = { authorization: `Bearer ${token}` };
  for (let after = ''; ; ) {
    const response = await fetch(`${apiUrl}${path}&limit=1000${after}`, { headers });
    const page = (await response.json()) as Page<Item>;
    items.push(...page.items);
    if (page.next === null) return items;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

export async function standCloud(
  bed: Bed,
  gatewayCount: number,
  notify: Partial<NotifySettings> = {},
): Promise<CloudStand> {
  const folder = mkdtempSync(join(bed.folder, 'cloud-')); // Each stand begins with nothing.
  const registry = new Registry(systemRandom, join(folder, 'registry'));
  const gateways = Array.from({ length: gatewayCount }, (_, at) => {
    const id = `gw-${at + 1}`;
    return { id, secret: registry.enrolGateway(AREA, id, Date.now()) };
  });
  const issue = (principal: Principal) => registry.issueToken(principal, Date.now());
  // The account over all gateways is the administrator's.
  const token = issue({ name: 'bench', right: 'administer', scope: '' });
  const scopedToken = issue({ name: 'watcher', right: 'read', scope: WATCHED_ASSET });
  const credentials = registry.credentials();
  registry.close();
  const password = makeSecret(systemRandom);
  const own = { name: CLOUD_IDENTITY, sha256: secretHash(password), role: 'cloud' } as const;
  const broker = await bed.side('broker', {
    credentials: [own, ...credentials],
  } satisfies BrokerSettings);
  const brokerUrl = `mqtt://127.0.0.1:${await broker.ask<number>('port')}`;
  const config: CloudConfig = {
    folder,
    insecure: false,
    broker: { kind: 'url', url: brokerUrl, password },
    otherBrokers: [],
    inboxBytesMax: INBOX_BYTES,
    api: { host: '127.0.0.1', port: 0, names: [] },
    utcOffsetMs: 0,
    cases: { limits: defaultLimits, departments: [], filesBytesMax: FILES_BYTES_DEFAULT },
    warnings: null,
    notify: { ...NOTHING_TOLD, ...notify },
  };
  const cloud = await bed.side('cloud', config);
  const apiUrl = `http://127.0.0.1:${await cloud.ask<number>('apiPort')}`;
  const stored = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${apiUrl}/v1/account`, { headers });
    const answer = (await response.json()) as { stored?: number };
    if (answer.stored === undefined) throw new Error(`no account: ${JSON.stringify(answer)}`);
    return answer.stored;
  };
  return { broker, cloud, brokerUrl, apiUrl, token, scopedToken, gateways, config, stored };
}
