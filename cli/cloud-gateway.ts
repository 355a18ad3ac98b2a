// `lifeline cloud gateway`: which gateways a running cloud has, by which paths each is heard, and how
// old the newest of what it sent is.
import { Fault } from '../core/fault.ts';
import { Client, clientOptions } from './client.ts';
import { pad } from './columns.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

type PathState = 'up' | 'down' | 'unknown';

interface Gateway {
  readonly id: string;
  readonly area: string;
  readonly created: string;
  readonly online: boolean;
  readonly heard: string | null;
  readonly clock: string;
  readonly paths: readonly {
    readonly state: PathState;
    readonly since: string | null;
    readonly heard: string | null;
  }[];
}

interface Device {
  readonly newest: string | null;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

const USAGE = 'gateway list|show [GATEWAY]';
const PAGE = 1_000;

async function all<Item>(client: Client, path: string, query: URLSearchParams): Promise<Item[]> {
  const items: Item[] = [];
  query.set('limit', String(PAGE));
  for (;;) {
    const page = await client.get<Page<Item>>(`${path}?${query}`);
    items.push(...page.items);
    if (page.next === null) return items;
    query.set('after', page.next);
  }
}

const gatewaysOf = (client: Client) => all<Gateway>(client, '/v1/gateways', new URLSearchParams());

async function list(given: Given, output: Output): Promise<number> {
  const gateways = await gatewaysOf(Client.from(given, output));
  if (output.json) output.print(JSON.stringify(gateways));
  else if (gateways.length === 0) output.print(output.say('gateway-cli-none', {}));
  else for (const gateway of gateways) output.print(line(gateway, output));
  return exit.done;
}

async function show(given: Given, output: Output): Promise<number> {
  const [, id = ''] = given.words;
  const client = Client.from(given, output);
  const gateway = (await gatewaysOf(client)).find((each) => each.id === id);
  if (!gateway) throw new Fault('gateway_not_found', 'never', id);
  const query = new URLSearchParams({ gateway: id });
  const times = (await all<Device>(client, '/v1/devices', query)).flatMap(({ newest }) =>
    newest === null ? [] : [newest],
  );
  const newest = times.sort().at(-1) ?? null;
  if (output.json) {
    output.print(JSON.stringify({ ...gateway, newest }));
    return exit.done;
  }
  output.print(line(gateway, output));
  gateway.paths.forEach(({ state, since, heard }, at) => {
    const values = { state: stateText(state, output), since: when(since), heard: when(heard) };
    output.print(`  ${output.say('gateway-cli-path', { number: at + 1, ...values })}`);
  });
  output.print(`  ${output.say('gateway-cli-newest', { newest: when(newest) })}`);
  return exit.done;
}

function line({ id, area, online, heard, paths }: Gateway, output: Output): string {
  const state = output.say(online ? 'gateway-cli-online' : 'gateway-cli-silent', {});
  const ways = paths.map((path) => stateText(path.state, output)).join(' / ');
  const said = output.say('gateway-cli-heard', { heard: when(heard) });
  return [pad(`${area}/${id}`, 24), pad(state, 8), pad(ways, 16), said].join('  ').trimEnd();
}

const stateText = (state: PathState, output: Output) => output.say(`gateway-cli-${state}`, {});
const when = (at: string | null) => (at === null ? '-' : localTime(at));

export const gatewayVerb: Verb = {
  usage: 'gateway ACTION [GATEWAY]',
  actions: ['list', 'show'],
  summary: {
    en: 'which gateways there are, whether each is heard, and by which path: list, show GATEWAY',
    zh: '查看网关是否在线及各通道状态：list 列出，show 网关 显示详情',
  },
  options: { ...clientOptions },
  run: (given, output) => {
    const [action, id] = given.words;
    if (action === 'list' && id === undefined) return list(given, output);
    if (action === 'show' && id !== undefined) return show(given, output);
    throw new UsageError(USAGE);
  },
};
