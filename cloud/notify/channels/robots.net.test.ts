// The robots against local servers of their kind, which check signature, keyword and size by code
// of their own and enforce the published quota.
import { afterEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../core/clock.ts';
import type { Log, LogFields } from '../../../core/log.ts';
import { seededRandom } from '../../../core/random.ts';
import type { RobotBehaviour, RobotOptions, RobotServer } from '../../../simulators/robots.ts';
import { startRobot } from '../../../simulators/robots.ts';
import type { Notifier } from '../notifier.ts';
import type { Trouble } from './channel.contract.ts';
import {
  idsIn,
  notifierContract,
  plainWording,
  sampleDelivery,
  sampleNotice,
} from './channel.contract.ts';
import type { ChannelGround, ChannelKind } from './channel.ts';
import { dingtalkKind } from './dingtalk.ts';
import { feishuKind } from './feishu.ts';
import { wecomKind } from './wecom.ts';

const token = 'token-5c2d77e0';
const secret = 'SEC3f0c9a1b';
const MINUTE_MS = 60_000;
const START_MS = 1_795_334_400_000;

const opened: RobotServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const patient: Clock = { ...systemClock, wallMs: () => START_MS };
/** Its timers end a hundred times sooner, so that a time-out is not waited for. */
const hasty: Clock = { ...patient, after: (ms, fn) => systemClock.after(ms / 100, fn) };
const clockFor = ({ kind }: RobotBehaviour) => (/hang|late/.test(kind) ? hasty : patient);

function groundOf(clock: Clock, lines: string[] = []): ChannelGround {
  const line = (event: string, fields?: LogFields) => lines.push(event, JSON.stringify(fields));
  const log: Log = { debug: line, info: line, warn: line, error: line };
  const publish = async () => false;
  return { clock, random: seededRandom(1), log, fetcher: fetch, publish, wording: plainWording };
}

interface Robot {
  readonly kind: ChannelKind;
  /** As the file says it. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What the published quota is beyond, and for how long it takes nothing. */
  readonly quota: { readonly messages: number; readonly perMs: number; readonly pauseMs: number };
}

const mobiles = ['13800001111'];
const robots: Readonly<Record<'dingtalk' | 'wecom' | 'feishu', Robot>> = {
  dingtalk: {
    kind: dingtalkKind,
    settings: { token, secret, mobiles },
    quota: { messages: 20, perMs: MINUTE_MS, pauseMs: 10 * MINUTE_MS },
  },
  wecom: {
    kind: wecomKind,
    settings: { key: token, mobiles },
    quota: { messages: 20, perMs: MINUTE_MS, pauseMs: MINUTE_MS },
  },
  feishu: {
    kind: feishuKind,
    settings: { token, secret, people: ['ou_1'] },
    quota: { messages: 5, perMs: 1_000, pauseMs: 5_000 },
  },
};

type Name = keyof typeof robots;

function notifierOf(name: Name, url: string, more: object = {}, clock = patient, lines?: string[]) {
  const { kind, settings } = robots[name];
  const whole = { id: 'duty', kind: name, url, ...settings, ...more };
  return kind.open(groundOf(clock, lines), whole);
}

async function serverOf(name: Name, changes: Partial<RobotOptions> = {}): Promise<RobotServer> {
  const at = { kind: name, host: '127.0.0.1', port: 0, token, nowMs: () => START_MS };
  const signed = name === 'wecom' ? {} : { secret };
  const server = await startRobot({ ...at, ...signed, ...changes });
  opened.push(server);
  return server;
}

async function benchOf(name: Name, behaviour: RobotBehaviour = { kind: 'work' }) {
  const server = await serverOf(name, { behaviour: () => behaviour });
  const lines: string[] = [];
  return {
    notifier: notifierOf(name, server.url, {}, clockFor(behaviour), lines),
    received: async () => server.posted().flatMap(({ content }) => idsIn(content)),
    messages: async () => server.posted().length,
    logged: () => lines.join('\n'),
  };
}

const quiet = () => new AbortController().signal;
const send = (notifier: Notifier, changes = {}) => notifier.send(sampleNotice(changes), quiet());

describe.each(Object.keys(robots) as Name[])('%s', (name) => {
  const faults: Readonly<Record<Trouble, RobotBehaviour>> = {
    garbage: { kind: 'garbage' },
    hang: { kind: 'hang' },
    late: { kind: 'late', delayMs: 250 },
    'error in 200': {
      kind: 'answer',
      body: { errcode: 40001, errmsg: `bad ${token} ${secret}`, code: 40001, msg: `bad ${token}` },
    },
  };
  notifierContract(name, {
    open: () => benchOf(name),
    broken: () => notifierOf(name, 'http://127.0.0.1:1/'),
    faulty: Object.fromEntries(
      Object.entries(faults).map(([trouble, how]) => [trouble, () => benchOf(name, how)]),
    ),
    secrets: name === 'wecom' ? [token] : [token, secret],
  });

  test('one message beyond the quota ends in the pause, and what is sent after it arrives', async () => {
    const { messages, pauseMs } = robots[name].quota;
    let nowMs = START_MS;
    const server = await serverOf(name, { nowMs: () => nowMs });
    const clock = { ...patient, wallMs: () => nowMs };
    const notifier = notifierOf(name, server.url, {}, clock);
    for (let at = 0; at < messages; at++) {
      expect((await send(notifier, { id: `n${at}.raised` })).kind).toBe('sent');
    }
    const over = await send(notifier, { id: 'over.raised' });
    expect(over).toMatchObject({ kind: 'retry', afterMs: pauseMs, isReceiverBusy: true });
    nowMs += pauseMs;
    expect((await send(notifier, { id: 'over.raised' })).kind).toBe('sent');
    expect(server.refused()).toEqual({ throttled: 1 });
    expect(server.posted()).toHaveLength(messages + 1);
  });

  test('another token, another key and a clock an hour off are given up with why', async () => {
    const server = await serverOf(name);
    const old = { ...patient, wallMs: () => START_MS - 61 * MINUTE_MS };
    const wrong = [
      notifierOf(name, server.url, name === 'wecom' ? { key: 'other' } : { token: 'other' }),
      ...(name === 'wecom'
        ? []
        : [
            notifierOf(name, server.url, { secret: 'SECother' }),
            notifierOf(name, server.url, {}, old),
          ]),
    ];
    for (const notifier of wrong) {
      expect(await send(notifier)).toMatchObject({
        kind: 'give-up',
        isReceiverGone: false,
        why: expect.stringMatching(/refuses the .*(token|key|signature)/),
      });
    }
    expect(server.posted()).toEqual([]);
  });

  test('level I calls those on duty by name', async () => {
    const server = await serverOf(name);
    await send(notifierOf(name, server.url, { everybody: true }));
    const named = name === 'feishu' ? 'ou_1' : '13800001111';
    const all = name === 'wecom' ? '@all' : 'all';
    expect(server.posted()[0]?.called).toEqual([named, all]);
  });

  test('a throttling status and one that redirects are what they are', async () => {
    const headers = { 'retry-after': '7', location: 'http://127.0.0.1:1/' };
    const outcomes = [];
    for (const status of [429, 302, 503]) {
      const { notifier } = await benchOf(name, { kind: 'status', status, headers });
      outcomes.push(await send(notifier));
    }
    expect(outcomes).toEqual([
      { kind: 'retry', why: 'http 429', afterMs: 7_000, isReceiverBusy: true },
      { kind: 'give-up', why: 'redirect refused (http 302)', isReceiverGone: false },
      { kind: 'retry', why: 'http 503', afterMs: 7_000 },
    ]);
  });
});

test('a robot that asks for a keyword has it in each message, or says that it is missing', async () => {
  for (const name of ['dingtalk', 'feishu'] as const) {
    const server = await serverOf(name, { keyword: '生命线' });
    expect(await send(notifierOf(name, server.url))).toMatchObject({
      kind: 'give-up',
      why: expect.stringContaining('keyword'),
    });
    const keyed = notifierOf(name, server.url, { keyword: '生命线' });
    expect((await send(keyed)).kind).toBe('sent');
    expect(server.posted().flatMap(({ content }) => idsIn(content))).toEqual([sampleDelivery().id]);
  }
});
