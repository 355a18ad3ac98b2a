// Commands asked at the gateway itself, over its status page: for when it is alone. The same door,
// ledger and interlocks; the cloud learns of them with the replies.
//
//   GET  /commands               what is offered, what waits for a second person, the last outcomes
//   POST /commands               { point: "fan-1/run", command, value, why, by } -> its outcome, or
//                                202 where a second person has to release it
//   POST /commands/ID/release    { by } -> its outcome
//
// Who may ask: whoever can read the token, a file that only the user of the service and root can
// open, and only from this machine. The names are those the asking program gives: two of them are
// as good as the accounts of the machine. What waits for a second person does so in memory, at most
// WAITING_MAX for RELEASE_MS: a restart ends it, and nothing was done.
import type { Clock } from '../../core/clock.ts';
import type { CommandOffer } from '../../core/command.ts';
import { unfit } from '../../core/command.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { Value } from '../../core/reading.ts';
import { TEXT_BYTES_MAX } from '../../core/reading.ts';
import type { Reply } from '../../protocols/uplink/control.ts';
import { SENTENCE_BYTES_MAX } from '../../protocols/uplink/control.ts';
import type { CommandsHealth, LocalCommand } from './commands.ts';
import { FALLBACK_ISSUER, offerOf, REVERSAL_ISSUER } from './decide.ts';

export const WAITING_MAX = 16;
export const RELEASE_MS = 10 * 60_000;
export const LOCAL_ISSUER = 'gateway:';
const NAME_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;
/** As whom the gateway commands by itself: no person may look like it. */
const OWN_ISSUERS: readonly string[] = [REVERSAL_ISSUER, FALLBACK_ISSUER];
const RECENT = 20;

export interface LocalRequest {
  readonly method: string;
  readonly path: string;
  /** Parsed JSON; undefined for none. */
  readonly body: unknown;
}

export interface LocalAnswer {
  readonly status: number;
  readonly body: object;
}

export interface LocalParts {
  readonly points: readonly PointDefinition[];
  give(asked: LocalCommand): Promise<Reply>;
  recent(count: number): Promise<readonly Reply[]>;
  health(): CommandsHealth;
}

interface Waiting {
  readonly id: string;
  readonly asked: LocalCommand;
  readonly untilMonoMs: number;
}

export class LocalDesk {
  readonly #clock: Clock;
  readonly #parts: LocalParts;
  #waiting: Waiting[] = [];
  #next = 1;

  constructor(clock: Clock, parts: LocalParts) {
    this.#clock = clock;
    this.#parts = parts;
  }

  async answer({ method, path, body }: LocalRequest): Promise<LocalAnswer> {
    const now = this.#clock.monoMs();
    this.#waiting = this.#waiting.filter(({ untilMonoMs }) => untilMonoMs > now);
    const [, id] = /^\/commands\/(w-\d+)\/release$/.exec(path) ?? [];
    if (path === '/commands' && method === 'GET') return await this.#list();
    if (path === '/commands' && method === 'POST') return await this.#ask(body);
    if (id !== undefined && method === 'POST') return await this.#release(id, body);
    if (path === '/commands' || id !== undefined) return refusal(405, 'method');
    return refusal(404, path);
  }

  async #list(): Promise<LocalAnswer> {
    const offers = this.#parts.points.flatMap(({ device, point, unit, commands = [] }) =>
      commands.map((offer) => ({ point: `${device}/${point}`, unit, ...offerObject(offer) })),
    );
    const waiting = this.#waiting.map(({ id, asked, untilMonoMs }) => ({
      ...{ id, ...askedObject(asked) },
      lapsesInMs: Math.round(untilMonoMs - this.#clock.monoMs()),
    }));
    const recent = (await this.#parts.recent(RECENT)).map(replyObject);
    const body = { offers, waiting, recent, state: this.#parts.health() };
    return { status: 200, body };
  }

  async #ask(body: unknown): Promise<LocalAnswer> {
    const asked = readAsked(body);
    if (typeof asked === 'string') return refusal(400, asked);
    const { device, point, command } = asked;
    const found = this.#parts.points.find((one) => one.device === device && one.point === point);
    const offer = found && offerOf(found, command);
    // What will be refused whoever releases it is refused now.
    if (!offer?.twoPeople || unfit(offer, asked.value) !== null) {
      return done(await this.#parts.give(asked));
    }
    if (this.#waiting.length >= WAITING_MAX) return refusal(429, 'waiting');
    const id = `w-${this.#next++}`;
    this.#waiting.push({ id, asked, untilMonoMs: this.#clock.monoMs() + RELEASE_MS });
    return {
      status: 202,
      body: { id, waits: true, ...askedObject(asked), lapsesInMs: RELEASE_MS },
    };
  }

  async #release(id: string, body: unknown): Promise<LocalAnswer> {
    const by = nameOf(body);
    const waiting = this.#waiting.find((one) => one.id === id);
    if (by === null) return refusal(400, 'by');
    if (!waiting) return refusal(404, id);
    const second = `${LOCAL_ISSUER}${by}`;
    if (second === waiting.asked.issuer) return refusal(403, 'same person');
    this.#waiting = this.#waiting.filter((one) => one !== waiting);
    return done(await this.#parts.give({ ...waiting.asked, second }));
  }
}

function readAsked(body: unknown): LocalCommand | string {
  if (typeof body !== 'object' || body === null) return 'body';
  const { point: target, command = 'set', value = null, why } = body as Record<string, unknown>;
  const by = nameOf(body);
  const [, device, point] = /^([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})$/.exec(`${target}`) ?? [];
  if (!device || !point) return 'point';
  if (typeof command !== 'string' || !/^[a-z0-9-]{1,64}$/.test(command)) return 'command';
  if (!isValue(value)) return 'value';
  if (typeof why !== 'string' || why.trim() === '' || !fits(why, SENTENCE_BYTES_MAX)) return 'why';
  if (by === null) return 'by';
  return { device, point, command, value, why, issuer: `${LOCAL_ISSUER}${by}`, second: '' };
}

function isValue(value: unknown): value is Exclude<Value, bigint> {
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' && fits(value, TEXT_BYTES_MAX);
}

function fits(text: string, bytesMax: number): boolean {
  return Buffer.byteLength(text) <= bytesMax;
}

function nameOf(body: unknown): string | null {
  const by = typeof body === 'object' && body !== null && 'by' in body ? body.by : null;
  const isName = typeof by === 'string' && NAME_PATTERN.test(by);
  return isName && !OWN_ISSUERS.includes(`${LOCAL_ISSUER}${by}`) ? by : null;
}

function done(reply: Reply): LocalAnswer {
  return { status: 200, body: replyObject(reply) };
}

function refusal(status: number, detail: string): LocalAnswer {
  return { status, body: { status, detail } };
}

// JSON knows no whole numbers beyond 2^53: they go as their digits.
const plain = (value: Value) => (typeof value === 'bigint' ? `${value}` : value);

function offerObject({
  id,
  title,
  fixed,
  range,
  states,
  twoPeople,
  everyMs,
  revert,
}: CommandOffer) {
  const common = { command: id, title, value: plain(fixed), range, states, twoPeople, everyMs };
  return { ...common, revert: revert && { ...revert, value: plain(revert.value) } };
}

function askedObject({ device, point, command, value, why, issuer }: LocalCommand) {
  return { point: `${device}/${point}`, command, value: plain(value), why, by: issuer };
}

function replyObject({ id, outcome, reason, detail, readBack, issued }: Reply) {
  const about = issued && {
    point: `${issued.device}/${issued.point}`,
    ...{ command: issued.command, value: plain(issued.value), why: issued.why },
    ...{ by: issued.issuer, second: issued.second },
  };
  return { id, outcome, reason, detail, readBack: plain(readBack), ...about };
}
