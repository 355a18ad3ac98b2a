// What `npm start` shows. On a terminal: a page that is drawn anew each second, with processes,
// live readings and alarms. Without one: a line for everything that happens, on stderr when stdout
// belongs to --json.
import type { MessageArguments, MessageKey } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import { pad } from './columns.ts';
import type { Demo } from './demo.ts';
import type { Account, AlarmItem, Way } from './demo-account.ts';
import { alarmsOf } from './demo-account.ts';
import type { Output } from './verb.ts';

interface Access {
  readonly data: string;
  readonly url: string;
  readonly token: string;
}

/** What is supervised of the way of an alarm. */
interface PathNow {
  readonly components: readonly { readonly name: string; readonly state: string }[];
  readonly tests: readonly {
    readonly gateway: string;
    readonly raised: string | null;
    readonly confirmed: string | null;
  }[];
}

interface SeriesItem {
  readonly point: string;
  readonly name: { readonly en: string; readonly zh: string };
  readonly class: string;
  readonly current: { readonly v: unknown; readonly u: string; readonly q: string } | null;
  /** Up to when the device was polled and the value had not left its deadband. */
  readonly covered: string | null;
}

/** Readings shown: what a person would look at first in each network. */
const SHOWN = [
  'gw-gas/well-06/gas',
  'gw-gas/well-07/gas',
  'gw-gas/well-08/gas',
  'gw-water/pressure-market/pressure',
  'gw-water/pressure-harbour/pressure',
  'gw-water/flow-branch/flow',
  'gw-water/pump-power/power',
  'gw-water/pump-station/discharge-pressure',
  'gw-water/pump-station/pump-1-running',
  'gw-bridge/bearing-west/angle-x',
  'gw-bridge/bearing-east/angle-x',
];
const NEWS_MAX = 14;

const eventKeys = {
  burst: 'demo-burst',
  'gas-leak': 'demo-gas-leak',
  settlement: 'demo-settlement',
  'no-station': 'demo-no-station',
  'lifeline-lost': 'demo-lifeline-lost',
  'lifeline-ok': 'demo-lifeline-ok',
} as const;

const paint = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, orange: 35 } as const;
const levelPaint = { 1: 'red', 2: 'orange', 3: 'yellow', 4: 'blue' } as const;
const levelNames = { 1: 'I ■', 2: 'II ▲', 3: 'III ▼', 4: 'IV ●' } as const;

export class Screen {
  readonly #output: Output;
  readonly #access: Access;
  readonly #isPage: boolean;
  readonly #startedMs = performance.now();
  readonly #parts = new Map<string, string>();
  readonly #told = new Map<string, 'raised' | 'confirmed'>();
  readonly #news: string[] = [];
  #isLive = false;
  #account: Account | null = null;
  #path: PathNow | null = null;

  constructor(output: Output, access: Access) {
    this.#output = output;
    this.#access = access;
    this.#isPage = !output.json && process.stdout.isTTY === true;
    if (this.#isPage) process.stdout.write('\x1b[?1049h\x1b[?25l');
    else for (const line of this.#head()) output.note(line);
  }

  started(name: string, pid: number, ports: string): void {
    this.#parts.set(name, this.#say('demo-started', { name: name.padEnd(10), pid, ports }));
    if (!this.#isPage) this.#output.note(this.#parts.get(name)!);
  }

  died(name: string, why: string): void {
    this.#tell(this.#paint('red', this.#say('demo-died', { name, why })));
  }

  happened(event: string): void {
    const key = eventKeys[event as keyof typeof eventKeys];
    if (key) this.#tell(this.#paint('bold', this.#say('demo-event', { what: this.#say(key, {}) })));
  }

  /** Looks at the running cloud and shows what is new; a cloud that is away is no reason to end. */
  async look(demo: Demo, passedMs: number): Promise<void> {
    try {
      const [{ items }, alarms, path] = await Promise.all([
        demo.client.get<{ items: SeriesItem[] }>('/v1/series?limit=1000'),
        alarmsOf(demo),
        demo.client.get<PathNow>('/v1/supervision'),
      ]);
      this.#path = path;
      this.#first(items, passedMs);
      for (const { alarm, way } of alarms) this.#follow(alarm, way);
      if (this.#isPage) this.#draw(items, alarms);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'Fault') throw error;
      if (this.#isPage) this.#draw([], []);
    }
  }

  draining(): void {
    this.#tell(this.#say('demo-draining', {}));
  }

  account(account: Account, wrong: readonly string[]): void {
    this.#account = account;
    this.#leavePage();
    const { alarms, crashed, epochsEnded, due, taken, missed, stored, unchanged } = account;
    const { givenUp, served } = account;
    const sums = { due, taken, missed, stored, unchanged, givenUp, served };
    this.#output.note(this.#say('demo-account', sums));
    if (epochsEnded > 0) {
      this.#output.note(this.#say('demo-crashed', { count: epochsEnded, readings: crashed }));
    }
    this.#output.note(this.#say('demo-alarm-account', alarms));
    this.#output.note(
      wrong.length === 0
        ? this.#say('demo-balanced', {})
        : this.#say('demo-unbalanced', { why: wrong.join('; ') }),
    );
  }

  close(): void {
    if (!this.#account) this.#leavePage();
  }

  #leavePage(): void {
    if (!this.#isPage) return;
    process.stdout.write('\x1b[?25h\x1b[?1049l');
    for (const line of [...this.#head(), ...this.#parts.values(), ...this.#news]) {
      this.#output.note(line);
    }
  }

  #first(items: readonly SeriesItem[], passedMs: number): void {
    const good = items.filter(({ current }) => current?.q === 'good');
    if (this.#isLive || good.length === 0) return;
    this.#isLive = true;
    const shown = items.find(({ point }) => point === SHOWN[4]) ?? good[0]!;
    const sample = `${shown.point} ${this.#value(shown)}`;
    const seconds = (passedMs / 1000).toFixed(1);
    this.#tell(this.#say('demo-live', { seconds, count: good.length, sample }));
  }

  #follow(alarm: AlarmItem, { steps }: Way): void {
    const told = this.#told.get(alarm.id);
    if (told === undefined) {
      this.#told.set(alarm.id, 'raised');
      const text = this.#say('demo-raised', {
        level: levelNames[alarm.level],
        title: alarm.title[this.#output.language],
        point: alarm.point,
        value: `${round(alarm.value)} ${unitSymbol(alarm.unit, this.#output.language)}`,
        limit: round(alarm.limit),
      });
      this.#tell(this.#paint(levelPaint[alarm.level], text));
    }
    if (told !== 'confirmed' && steps) {
      this.#told.set(alarm.id, 'confirmed');
      const { read, received, raised, sent, confirmed } = steps;
      const at = (ms: number) => (ms / 1000).toFixed(2);
      const values = {
        by: 'desk',
        received: at(received),
        raised: at(raised),
        sent: at(sent),
        confirmed: at(confirmed),
      };
      const text =
        read === null
          ? this.#say('demo-confirmed-unwatched', values)
          : this.#say('demo-confirmed', { ...values, read: at(read) });
      this.#tell(this.#paint('green', `  ${text}`));
    }
  }

  #draw(items: readonly SeriesItem[], alarms: readonly { alarm: AlarmItem }[]): void {
    const { language } = this.#output;
    const byPoint = new Map(items.map((item) => [item.point, item]));
    const lines = [
      ...this.#head(),
      '',
      this.#paint('bold', this.#say('demo-processes', {})),
      ...[...this.#parts.values()].map((line) => `  ${line}`),
      '',
      this.#paint('bold', `${this.#say('demo-readings', {})} (${items.length})`),
      ...SHOWN.flatMap((point) => {
        const item = byPoint.get(point);
        return item
          ? [`  ${pad(item.name[language], 48)} ${pad(this.#value(item), 18)} ${point}`]
          : [];
      }),
      '',
      ...this.#pathLines(),
      '',
      this.#paint('bold', `${this.#say('demo-alarms', {})} (${alarms.length})`),
      ...this.#news.map((line) => `  ${line}`),
      '',
      this.#paint('dim', this.#say('demo-stop-hint', {})),
    ];
    const { rows = 50, columns = 120 } = process.stdout;
    process.stdout.write(
      `\x1b[H${lines
        .slice(0, rows)
        .map((line) => `${cut(line, columns)}\x1b[K`)
        .join('\r\n')}\x1b[J`,
    );
  }

  #pathLines(): string[] {
    if (!this.#path) return [];
    const { components, tests } = this.#path;
    const broken = components.filter(({ state }) => state === 'broken').map(({ name }) => name);
    const state =
      broken.length === 0
        ? this.#paint('green', this.#say('demo-path-ok', {}))
        : this.#paint('red', this.#say('demo-path-broken', { what: broken.join(', ') }));
    const confirmed = tests.flatMap(({ gateway, raised, confirmed: at }) => {
      if (raised === null || at === null) return [];
      const seconds = ((Date.parse(at) - Date.parse(raised)) / 1_000).toFixed(2);
      return [`  ${this.#say('demo-path-test', { gateway, seconds })}`];
    });
    return [`${this.#paint('bold', this.#say('demo-path', {}))} ${state}`, ...confirmed];
  }

  #head(): string[] {
    const { url, token, data } = this.#access;
    return [
      this.#paint('bold', this.#say('demo-title', {})),
      this.#say('demo-api', { url }),
      this.#say('demo-token', { token }),
      this.#say('demo-data', { folder: data }),
    ];
  }

  #tell(text: string): void {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1).padStart(6);
    const line = `${seconds} s  ${text}`;
    this.#news.push(line);
    if (this.#news.length > NEWS_MAX) this.#news.shift();
    if (!this.#isPage) this.#output.note(line);
  }

  #value({ current, covered }: SeriesItem): string {
    if (!current) return '-';
    const value = typeof current.v === 'number' ? round(current.v) : String(current.v ?? current.q);
    const age = Math.max(0, (Date.now() - Date.parse(covered ?? '')) / 1000).toFixed(0);
    return `${value} ${unitSymbol(current.u, this.#output.language)} (${age} s)`;
  }

  #paint(name: keyof typeof paint, text: string): string {
    const isPlain = !this.#isPage || process.env['NO_COLOR'] !== undefined;
    return isPlain ? text : `\x1b[${paint[name]}m${text}\x1b[0m`;
  }

  #say<Key extends MessageKey>(key: Key, values: MessageArguments<Key>): string {
    return this.#output.say(key, values);
  }
}

function round(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(4)));
}

const signs = new RegExp(`(${String.fromCharCode(27)}\\[\\d+m)|(.)`, 'gu');

// As much of a line as fits; signs that only paint take no room, Chinese ones take two columns.
function cut(line: string, columns: number): string {
  let taken = 0;
  return line.replaceAll(signs, (_whole, code?: string, sign = '') => {
    if (code) return code;
    taken += sign > '\u2e7f' ? 2 : 1;
    return taken <= columns ? sign : '';
  });
}
