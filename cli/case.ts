import type { Alarm } from './alarm.ts';
import { alarmLine, findAlarm } from './alarm.ts';
import { Client, clientOptions } from './client.ts';
import type { Verb } from './verb.ts';
import { exit } from './verb.ts';

interface Delivery {
  readonly receiver: string;
  readonly transition: string;
  readonly state: string;
  readonly queued: string;
  readonly confirmed: string | null;
  readonly confirmed_by: string | null;
  readonly why: string | null;
}

export const verbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: {
      en: 'alarms that nobody has closed, with who has them',
      zh: '列出未结案件及其负责人',
    },
    options: clientOptions,
    run: async (given, output) => {
      const { items } = await Client.from(given, output).get<{ items: Alarm[] }>(
        '/v1/alarms?state=open',
      );
      if (output.json) output.print(JSON.stringify(items));
      else if (items.length === 0) output.print(output.say('cli-no-alarms', {}));
      else for (const alarm of items) output.print(alarmLine(alarm, output));
      return exit.done;
    },
  },
  show: {
    usage: 'show ID',
    summary: {
      en: 'one case whole: the alarm, who was told, who confirmed, what was done',
      zh: '显示案件全貌：报警、通知对象、确认人和处理记录',
    },
    options: clientOptions,
    run: async (given, output) => {
      const client = Client.from(given, output);
      const alarm = await findAlarm(client, given.words[0]!);
      const [{ items: deliveries }, { items: journal }] = await Promise.all([
        client.get<{ items: Delivery[] }>(`/v1/deliveries?alarm=${alarm.id}`),
        client.get<{ items: { at: string; kind: string; who: string; what: string }[] }>(
          `/v1/journal?alarm=${alarm.id}`,
        ),
      ]);
      if (output.json) {
        output.print(JSON.stringify({ alarm, deliveries, journal }));
        return exit.done;
      }
      output.print(alarmLine(alarm, output));
      if (alarm.action) output.print(`  ${alarm.action[output.language]}`);
      for (const { receiver, transition, state, confirmed, confirmed_by, why } of deliveries) {
        const end = confirmed ? `${confirmed} ${confirmed_by ?? ''}` : (why ?? '');
        output.print(`  -> ${receiver}  ${transition}  ${state}  ${end}`);
      }
      for (const { at, kind, who, what } of journal)
        output.print(`  ${at}  ${kind}  ${who}  ${what}`);
      return exit.done;
    },
  },
};
