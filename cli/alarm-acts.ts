// What a person does with alarms from the command line. Each act has a right of its own, a reason
// and an end; `lifeline alarm hidden` shows all that is not heard now, and until when.
import { parseDuration } from '../core/duration.ts';
import type { Alarm } from './alarm.ts';
import { findAlarm, wordsOf } from './alarm.ts';
import { Client, clientOptions } from './client.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

interface Approval {
  readonly id: number;
  readonly kind: string;
  readonly what: string;
  readonly text: { readonly en: string; readonly zh: string };
  readonly by: string;
  readonly reason: string;
  readonly asked: string;
  readonly until: string;
}

interface Acted {
  readonly waiting: Approval | null;
  readonly alarm: Alarm | null;
}

interface Hidden {
  readonly target: string;
  readonly letter: string;
  readonly shelf: { readonly until: string; readonly by: string; readonly reason: string } | null;
  readonly removal: Hidden['shelf'];
  readonly suppressed_by: string | null;
  /** Of the one that is on. */
  readonly alarm: string | null;
}

/** What was typed as an alarm's id, or as `gateway/device/point/rule` where it has slashes. */
async function targetOf(client: Client, typed: string): Promise<string> {
  return typed.includes('/') ? typed : (await findAlarm(client, typed)).id;
}

export function minutesOf(given: Given): number {
  const typed = given.text('for');
  const ms = typed === undefined ? undefined : parseDuration(typed);
  if (ms === undefined) throw new UsageError('--for 30m|4h|2d');
  return ms / 60_000;
}

function tell(output: Output, { waiting, alarm }: Acted, target: string): number {
  if (output.json) output.print(JSON.stringify({ waiting, alarm }));
  else if (waiting) output.print(output.say('cli-act-waits', { id: waiting.id, target }));
  else output.print(output.say('cli-act-done', { target, state: alarm?.state ?? '-' }));
  return exit.done;
}

function onCondition(
  verb: string,
  summary: Verb['summary'],
  options: Verb['options'],
  body: (given: Given) => object,
): Verb {
  return {
    usage: `${verb} ID`,
    summary,
    options: { ...clientOptions, ...options },
    run: async (given, output) => {
      const fields = body(given);
      const client = Client.from(given, output);
      const target = await targetOf(client, given.words[0]!);
      const path = `/v1/conditions/${verb === 'out-of-service' ? 'remove' : verb}`;
      return tell(output, await client.post<Acted>(path, { target, ...fields }), target);
    },
  };
}

const conditionVerbs: Readonly<Record<string, Verb>> = {
  shelve: onCondition(
    'shelve',
    {
      en: 'put aside for a time, with a reason; level I never, level II with a second person',
      zh: '说明原因，搁置一段时间；I 级不得搁置，II 级需第二人批准',
    },
    { for: 'text', reason: 'text', once: 'flag' },
    (given) => ({
      minutes: minutesOf(given),
      reason: needed(given, 'reason'),
      one_shot: given.flag('once'),
    }),
  ),
  unshelve: onCondition('unshelve', { en: 'take off the shelf', zh: '取消搁置' }, {}, () => ({})),
  'out-of-service': onCondition(
    'out-of-service',
    {
      en: 'take out of service, with a work order and an end',
      zh: '退出服务，须填写工单和截止时间',
    },
    { for: 'text', reason: 'text', 'work-order': 'text' },
    (given) => ({
      minutes: minutesOf(given),
      reason: needed(given, 'reason'),
      work_order: needed(given, 'work-order'),
    }),
  ),
  return: onCondition('return', { en: 'return to service', zh: '恢复服务' }, {}, () => ({})),
  reset: {
    usage: 'reset ID',
    summary: { en: 'end a latched alarm whose condition is over', zh: '复位已恢复的锁存报警' },
    options: { ...clientOptions, note: 'text' },
    run: async (given, output) => {
      const client = Client.from(given, output);
      const { id } = await findAlarm(client, given.words[0]!);
      const body = { note: given.text('note') ?? '' };
      return tell(output, await client.post<Acted>(`/v1/alarms/${id}/reset`, body), id);
    },
  },
  silence: {
    usage: 'silence ID',
    summary: { en: 'stop the sound at your own desk for two minutes', zh: '本席消音两分钟' },
    options: clientOptions,
    run: async (given, output) => {
      const client = Client.from(given, output);
      const { id } = await findAlarm(client, given.words[0]!);
      const { until } = await client.post<{ until: string }>(`/v1/alarms/${id}/silence`, {});
      if (output.json) output.print(JSON.stringify({ until }));
      else output.print(output.say('cli-silenced', { until: localTime(until) }));
      return exit.done;
    },
  },
};

const hiddenVerb: Verb = {
  usage: 'hidden',
  summary: {
    en: 'all that is shelved, suppressed or out of service, and until when',
    zh: '列出已搁置、被抑制或退出服务的报警及截止时间',
  },
  options: clientOptions,
  run: async (given, output) => {
    const client = Client.from(given, output);
    const { items } = await client.get<{ items: Hidden[] }>('/v1/conditions');
    if (output.json) output.print(JSON.stringify(items));
    else if (items.length === 0) output.print(output.say('cli-none-hidden', {}));
    else {
      const path = '/v1/alarms?state=all&limit=1000';
      const alarms = await client.get<{ items: Alarm[] }>(path);
      const known = new Map(alarms.items.map((alarm) => [alarm.id, alarm]));
      for (const { target, letter, shelf, removal, suppressed_by: under, alarm: id } of items) {
        const alarm = id === null ? undefined : known.get(id);
        const by = removal ?? shelf;
        const why = by ? `${localTime(by.until)}  ${by.by}  ${by.reason}` : (under ?? '');
        output.print([letter, target, ...(alarm ? wordsOf(alarm, output) : []), why].join('  '));
      }
    }
    return exit.done;
  },
};

const approvalVerbs: Readonly<Record<string, Verb>> = {
  approvals: {
    usage: 'approvals',
    summary: { en: 'what waits for a second person', zh: '等待第二人批准的请求' },
    options: clientOptions,
    run: async (given, output) => {
      const client = Client.from(given, output);
      const { items } = await client.get<{ items: Approval[] }>('/v1/approvals');
      if (output.json) output.print(JSON.stringify(items));
      else if (items.length === 0) output.print(output.say('cli-none-waiting', {}));
      else {
        for (const { id, text, by, reason, until } of items) {
          output.print(`${String(id).padStart(4)}  ${text[output.language]}`);
          output.print(`      ${output.say('cli-approval-by', { by, reason, until })}`);
        }
      }
      return exit.done;
    },
  },
  approve: decided('approve', {
    en: 'say yes to what another person asked for',
    zh: '批准他人的请求',
  }),
  withdraw: decided('withdraw', { en: 'it is not to be done', zh: '撤回请求' }),
};

function decided(verb: 'approve' | 'withdraw', summary: Verb['summary']): Verb {
  return {
    usage: `${verb} NUMBER`,
    summary,
    options: clientOptions,
    run: async (given, output) => {
      const path = `/v1/approvals/${encodeURIComponent(given.words[0]!)}/${verb}`;
      const approval = await Client.from(given, output).post<Approval>(path, {});
      if (output.json) output.print(JSON.stringify(approval));
      else
        output.print(
          output.say(verb === 'approve' ? 'cli-approved' : 'cli-withdrawn', {
            id: approval.id,
            what: approval.text[output.language],
          }),
        );
      return exit.done;
    },
  };
}

const testVerbs: Readonly<Record<string, Verb>> = {
  test: {
    usage: 'test [DEVICE]',
    summary: {
      en: 'test a device (gateway/device) for at most an hour: its alarms go to you alone; --end ends it',
      zh: '测试设备（网关/设备），最长一小时：其报警只发给你；--end 结束测试',
    },
    options: { ...clientOptions, for: 'text', reason: 'text', end: 'flag' },
    run: async (given, output) => {
      const client = Client.from(given, output);
      const [device] = given.words;
      if (device === undefined) return listTests(client, output);
      if (given.flag('end')) {
        await client.post('/v1/device-tests/end', { device });
        if (output.json) output.print(JSON.stringify({ device }));
        else output.print(output.say('cli-test-ended', { device }));
        return exit.done;
      }
      const body = { device, minutes: minutesOf(given), reason: needed(given, 'reason') };
      const test = await client.post<{ until: string; by: string }>('/v1/device-tests', body);
      if (output.json) output.print(JSON.stringify(test));
      else {
        const until = localTime(test.until);
        output.print(output.say('cli-test-begun', { device, until, by: test.by }));
      }
      return exit.done;
    },
  },
};

async function listTests(client: Client, output: Output): Promise<number> {
  type Test = Readonly<Record<'device' | 'by' | 'reason' | 'until', string>>;
  const { items } = await client.get<{ items: Test[] }>('/v1/device-tests');
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('cli-no-tests', {}));
  else {
    for (const { device, by, reason, until } of items) {
      output.print(`${device}  ${by}  ${reason}  -> ${localTime(until)}`);
    }
  }
  return exit.done;
}

export const actVerbs = { ...conditionVerbs, hidden: hiddenVerb, ...testVerbs, ...approvalVerbs };
