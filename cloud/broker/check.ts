// Proves over a running broker, with a gateway's own credential, that the rights of rights.ts hold
// there. It tries what a gateway must be able to do and what it must not, and looks at what comes
// of it.
//
// What counts as proof. Publishing: the broker's answer, a reason code in MQTT 5; in 3.1.1 a
// refusal is a connection that ends, twice, since anything may end one once (3.3.5 allows a broker
// to acknowledge what it drops; then the right is not shown). Listening: a refused subscription;
// or, where the broker grants every subscription and withholds the messages, a message that was
// taken and did not come. What a gateway may not hear at all must be said by the cloud, so those
// rights are shown only with its credential as well.
//
// What it disturbs. It logs in under the gateway's name, so the gateway itself must not run; with
// the cloud's credential a running cloud is put off the broker for a moment. Probes are empty
// messages, which both ends only count; the cloud's probes go to no gateway but this one and one that
// does not exist.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { MessageKey } from '../../core/text/text.ts';
import {
  CLOUD_STATUS_TOPIC,
  KEEPALIVE_SECONDS,
  kindNames,
  kinds,
  secondLogin,
  topicOf,
} from '../../protocols/uplink/topics.ts';
import { connectMqtt, type MqttClient } from '../ingest/mqtt.ts';

export type Verdict = 'holds' | 'broken' | 'unshown';

export interface CheckedRight {
  readonly what: Extract<MessageKey, `right-${string}`>;
  /** Topic or filter it is about; '' for logins. */
  readonly topic: string;
  readonly verdict: Verdict;
}

export interface RightsCheck {
  readonly url: string;
  readonly area: string;
  readonly gateway: string;
  readonly secret: string;
  /** Another gateway of the registry, if there is one. */
  readonly other: { readonly area: string; readonly gateway: string } | null;
  readonly cloud: { readonly name: string; readonly secret: string } | null;
}

/** Of each answer of the broker. */
const ANSWER_TIMEOUT_MS = 5_000;
/** A connection whose name is taken ends at once; this is for a long way to the broker. */
const TAKEOVER_MS = 1_500;
/** What was withheld had this long to come, after what was sent later came. */
const SETTLE_MS = 300;
/** A running cloud that takes its name back is put off again this often. */
const TRIES_AS_CLOUD = 3;
/** The name of a gateway that does not exist. */
const NOBODY = 'nobody-of-this-name';

const upKinds = kindNames.filter((kind) => kinds[kind].way === 'up');
const downKinds = kindNames.filter((kind) => kinds[kind].way === 'down');

/**
 * Takes some seconds, each wait bounded. Throws Fault `broker_unreachable`, `broker_unanswered`,
 * `broker_taken_over` or `broker_cloud_refused`.
 */
export async function checkRights(clock: Clock, check: RightsCheck): Promise<CheckedRight[]> {
  const login = await firstLogin(clock, check);
  if (!login) return [{ what: 'right-login', topic: '', verdict: 'broken' }];
  const run = new RightsRun(clock, check, login);
  try {
    await run.logins();
    await run.wills();
    await run.publications();
    await run.subscriptions();
    return run.rights;
  } finally {
    await run.close();
  }
}

/** As MQTT 5 where the broker speaks it, since only that says why something is refused. */
async function firstLogin(clock: Clock, check: RightsCheck): Promise<Login | null> {
  const { url, gateway, secret } = check;
  for (const version of [5, 4] as const) {
    const login: Login = { url, version, clientId: gateway, username: gateway, password: secret };
    const probe = await Probe.open(clock, login);
    await probe?.close();
    if (probe) return login;
  }
  return null;
}

class RightsRun {
  readonly rights: CheckedRight[] = [];
  readonly #clock: Clock;
  readonly #check: RightsCheck;
  readonly #login: Login;
  #open: Probe | null = null;
  /** Topics that took a message, so that its absence elsewhere means something. */
  readonly #said = new Set<string>();

  constructor(clock: Clock, check: RightsCheck, login: Login) {
    this.#clock = clock;
    this.#check = check;
    this.#login = login;
  }

  async logins(): Promise<void> {
    this.#add('right-login', '', true);
    const changes = {
      'right-wrong-secret': { password: `${this.#login.password}x` },
      'right-anonymous': { clientId: NOBODY, username: undefined, password: undefined },
    } as const;
    for (const what of ['right-wrong-secret', 'right-anonymous'] as const) {
      const probe = await Probe.open(this.#clock, { ...this.#login, ...changes[what] });
      await probe?.close();
      this.#add(what, '', probe === null);
    }
    // Let in under another client id, it must be the same client to the broker: the first one ends.
    const first = await this.#probe();
    const second = await Probe.open(this.#clock, { ...this.#login, clientId: NOBODY });
    this.#add('right-client-id', '', second === null || (await first.endsSoon()));
    await second?.close();
    await this.#paths();
  }

  // The login of a second path goes beside the first; a broker that does not know it serves
  // gateways with one path all the same. There is no third.
  async #paths(): Promise<void> {
    const first = await this.#probe();
    const second = await Probe.open(this.#clock, this.#loginAs(secondLogin(this.#check.gateway)));
    const isBeside = second ? !(await first.endsSoon()) : 'unshown';
    this.#add('right-second-login', '', isBeside);
    await second?.close();
    const third = await Probe.open(this.#clock, this.#loginAs(`${this.#check.gateway}.3`));
    this.#add('right-no-third-login', '', third === null);
    await third?.close();
  }

  #loginAs(name: string): Login {
    return { ...this.#login, clientId: name, username: name };
  }

  /** A last will for another gateway is refused at once, or withheld when its time has come. */
  async wills(): Promise<void> {
    const { area, gateway } = this.#check;
    const foreign = topicOf(area, NOBODY, 'status');
    const own = topicOf(area, gateway, 'status');
    await this.close();
    const probe = await Probe.open(this.#clock, { ...this.#login, will: foreign });
    if (!probe) return this.#add('right-will', foreign, true);
    await probe.close();
    const heard = await this.#asCloud(async (cloud) => {
      for (const topic of [foreign, own]) await cloud.subscribe(topic);
      for (const will of [foreign, own]) {
        (await Probe.open(this.#clock, { ...this.#login, will }))?.drop();
      }
      return (await cloud.hears([own])) ? cloud.heard : null;
    });
    this.#add('right-will', foreign, heard ? !heard.has(foreign) : 'unshown');
  }

  async publications(): Promise<void> {
    const { area, gateway, other } = this.#check;
    const foreign = other ?? { area, gateway: NOBODY };
    for (const topic of upKinds.map((kind) => topicOf(area, gateway, kind))) {
      this.#add('right-publish', topic, (await this.#publish(topic)) === 'taken');
    }
    for (const topic of [
      ...downKinds.map((kind) => topicOf(area, gateway, kind)),
      ...kindNames.map((kind) => topicOf(foreign.area, foreign.gateway, kind)),
      topicOf(NOBODY, gateway, 'live'),
      `lifeline/v1/${area}/${gateway}`,
      CLOUD_STATUS_TOPIC,
      'lifeline',
    ]) {
      const answer = await this.#publish(topic);
      const isUnsaid = answer === 'taken' && this.#login.version === 4;
      this.#add('right-no-publish', topic, isUnsaid ? 'unshown' : answer === 'refused');
    }
  }

  async subscriptions(): Promise<void> {
    const { area, gateway } = this.#check;
    const probe = await this.#probe();
    const down = downKinds.map((kind) => topicOf(area, gateway, kind));
    const own = [...down, CLOUD_STATUS_TOPIC];
    const deaf = new Set<string>();
    for (const topic of own) if (!(await probe.subscribe(topic))) deaf.add(topic);
    const granted: string[] = [];
    for (const filter of forbiddenFilters(area, gateway)) {
      if (await probe.subscribe(filter)) granted.push(filter);
      else this.#add('right-no-hear', filter, true);
    }
    if (granted.length > 0) {
      for (const topic of await this.#provoke(probe, own)) deaf.add(topic);
    }
    if (probe.isEnded) throw takenOver(this.#check.url);
    for (const topic of own) this.#add('right-hear', topic, !deaf.has(topic));
    for (const filter of granted) {
      const isForeign = (topic: string) => covers(filter, topic) && !own.includes(topic);
      const isShown = [...this.#said].some(isForeign) || 'unshown';
      this.#add('right-no-hear', filter, [...probe.heard].some(isForeign) ? false : isShown);
    }
  }

  async close(): Promise<void> {
    await this.#open?.close();
    this.#open = null;
  }

  // Has something said on what the probe listens to without a right; returns which of its own
  // topics it did not hear although the cloud spoke there.
  async #provoke(probe: Probe, own: readonly string[]): Promise<string[]> {
    const { area, gateway } = this.#check;
    for (const topic of upKinds.map((kind) => topicOf(area, gateway, kind))) {
      if ((await probe.publish(topic)) === 'taken') this.#said.add(topic);
    }
    const others = downKinds.map((kind) => topicOf(area, NOBODY, kind));
    const deaf = await this.#asCloud(async (cloud) => {
      for (const topic of [...others, ...own]) {
        const answer = await cloud.publish(topic);
        if (answer === 'ended') return null;
        if (answer === 'taken') this.#said.add(topic);
      }
      await probe.hears(own);
      return own.filter((topic) => !probe.heard.has(topic));
    });
    await pause(this.#clock, SETTLE_MS);
    return deaf ?? [];
  }

  /** Null without the cloud's credential, or when the running cloud always came in between. */
  async #asCloud<T>(use: (cloud: Probe) => Promise<T | null>): Promise<T | null> {
    const { cloud, url } = this.#check;
    if (!cloud) return null;
    const { name, secret } = cloud;
    const { version } = this.#login;
    for (let tries = 0; tries < TRIES_AS_CLOUD; tries++) {
      const login = { url, version, clientId: name, username: name, password: secret };
      const probe = await Probe.open(this.#clock, login);
      if (!probe) throw new Fault('broker_cloud_refused', 'never', `${url}: ${name}`);
      const result = await use(probe);
      await probe.close();
      if (result !== null) return result;
    }
    return null;
  }

  // A connection that ends is a refusal in MQTT 3.1.1, but anything may end one once.
  async #publish(topic: string): Promise<'taken' | 'refused'> {
    for (let tries = 0; tries < 2; tries++) {
      const answer = await (await this.#probe()).publish(topic);
      if (answer !== 'ended') return answer;
    }
    return 'refused';
  }

  async #probe(): Promise<Probe> {
    if (this.#open && !this.#open.isEnded) return this.#open;
    this.#open = await Probe.open(this.#clock, this.#login);
    if (!this.#open) throw takenOver(this.#check.url);
    return this.#open;
  }

  #add(what: CheckedRight['what'], topic: string, verdict: boolean | 'unshown'): void {
    const word = verdict === 'unshown' ? verdict : verdict ? 'holds' : 'broken';
    this.rights.push({ what, topic, verdict: word });
  }
}

interface Login {
  readonly url: string;
  readonly version: 4 | 5;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Topic of a last will. */
  readonly will?: string;
}

/** One connection to the broker that hides nothing of what the broker does to it. */
class Probe {
  readonly heard = new Set<string>();
  isEnded = false;
  readonly #clock: Clock;
  readonly #client: MqttClient;
  readonly #url: string;
  readonly #ended: Promise<void>;

  private constructor(clock: Clock, client: MqttClient, url: string) {
    this.#clock = clock;
    this.#client = client;
    this.#url = url;
    client.on('message', (topic) => this.heard.add(topic));
    this.#ended = new Promise((resolve) => {
      client.once('close', () => {
        this.isEnded = true;
        resolve();
      });
    });
  }

  /** Null when it is not let in. */
  static async open(clock: Clock, login: Login): Promise<Probe | null> {
    const { url, version, clientId, username, password, will } = login;
    const client = connectMqtt(url, {
      clientId,
      protocolVersion: version,
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: 0,
      connectTimeout: 2 * ANSWER_TIMEOUT_MS,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(will !== undefined && { will: { topic: will, payload: Buffer.alloc(0), qos: 1 } }),
    });
    const probe = new Probe(clock, client, url);
    const answer = await probe.#within<'in' | 'refused' | Error>((resolve) => {
      client.once('connect', () => resolve('in'));
      client.on('error', (error) => resolve(isNoAnswer(error) ? error : 'refused'));
      void probe.#ended.then(() => resolve('refused'));
    });
    if (answer === 'in') return probe;
    client.end(true);
    if (answer === 'refused') return null;
    throw new Fault('broker_unreachable', 'later', `${url}: ${answer.message}`, answer);
  }

  publish(topic: string): Promise<'taken' | 'refused' | 'ended'> {
    return this.#within((resolve) => {
      void this.#ended.then(() => resolve('ended'));
      if (this.isEnded) return;
      this.#client.publish(topic, '', { qos: 1 }, (error) => {
        if (error) resolve(hasReason(error) ? 'refused' : 'ended');
        else resolve('taken');
      });
    });
  }

  /** Whether the broker granted it. */
  async subscribe(filter: string): Promise<boolean> {
    const answer = await this.#within<'granted' | 'refused' | 'ended'>((resolve) => {
      void this.#ended.then(() => resolve('ended'));
      if (this.isEnded) return;
      this.#client.subscribe(filter, { qos: 1 }, (error, granted) => {
        if (error) resolve('packet' in error ? 'refused' : 'ended');
        else resolve(granted?.some(({ qos }) => qos > 2) ? 'refused' : 'granted');
      });
    });
    if (answer === 'ended') throw takenOver(this.#url);
    return answer === 'granted';
  }

  /** Whether all of these came in time. */
  hears(topics: readonly string[]): Promise<boolean> {
    return this.#until(ANSWER_TIMEOUT_MS, () => topics.every((topic) => this.heard.has(topic)));
  }

  endsSoon(): Promise<boolean> {
    return this.#until(TAKEOVER_MS, () => this.isEnded);
  }

  /** Without a word, so that its last will is published. */
  drop(): void {
    this.#client.stream.destroy();
    this.#client.end(true);
  }

  async close(): Promise<void> {
    if (this.isEnded) return;
    await this.#within<void>((resolve) => this.#client.end(false, () => resolve()));
  }

  async #until(timeoutMs: number, isSo: () => boolean): Promise<boolean> {
    const endMs = this.#clock.monoMs() + timeoutMs;
    while (!isSo()) {
      if (this.#clock.monoMs() > endMs) return false;
      await pause(this.#clock, 5);
    }
    return true;
  }

  async #within<T>(start: (resolve: (value: T) => void) => void): Promise<T> {
    let cancel: () => void = () => {};
    try {
      return await new Promise<T>((resolve, reject) => {
        cancel = this.#clock.after(ANSWER_TIMEOUT_MS, () => {
          this.#client.end(true);
          reject(new Fault('broker_unanswered', 'later', this.#url));
        });
        start(resolve);
      });
    } finally {
      cancel();
    }
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

function takenOver(url: string): Fault {
  return new Fault('broker_taken_over', 'later', url);
}

/** The broker's own word has a number, what the system says of a socket has a name. */
function hasReason(error: Error): boolean {
  return 'code' in error && typeof error.code === 'number';
}

function isNoAnswer(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && !['ECONNRESET', 'EPIPE'].includes(code);
}

function forbiddenFilters(area: string, gateway: string): string[] {
  return [
    '#',
    'lifeline/#',
    '+/+/+/+/+',
    ...upKinds.map((kind) => topicOf(area, gateway, kind)),
    ...upKinds.map((kind) => topicOf('+', '+', kind)),
    `$share/check/${topicOf('+', '+', 'live')}`,
    ...downKinds.map((kind) => topicOf(area, NOBODY, kind)),
    ...downKinds.map((kind) => topicOf(area, '+', kind)),
  ];
}

/** MQTT 3.1.1, 4.7; of a shared subscription (MQTT 5, 4.8.2) the filter in it. */
function covers(filter: string, topic: string): boolean {
  const parts = filter.replace(/^\$share\/[^/]+\//, '').split('/');
  const levels = topic.split('/');
  if (parts.at(-1) === '#') {
    const before = parts.slice(0, -1);
    return before.length <= levels.length && fits(before, levels.slice(0, before.length));
  }
  return parts.length === levels.length && fits(parts, levels);
}

function fits(parts: readonly string[], levels: readonly string[]): boolean {
  return parts.every((part, at) => part === '+' || part === levels[at]);
}
