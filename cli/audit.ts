import { Client, clientOptions } from './client.ts';
import type { Verb } from './verb.ts';
import { exit } from './verb.ts';

interface Entry {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly who: string;
  readonly what: string;
}

export const verbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: {
      en: 'who did what and what the machine decided, the newest first',
      zh: '操作与判定记录，最新在前',
    },
    options: { ...clientOptions, alarm: 'text' },
    run: async (given, output) => {
      const alarm = given.text('alarm');
      const path = `/v1/journal${alarm ? `?alarm=${encodeURIComponent(alarm)}` : ''}`;
      const { items } = await Client.from(given, output).get<{ items: Entry[] }>(path);
      if (output.json) output.print(JSON.stringify(items));
      else {
        for (const { seq, at, kind, who, what } of items) {
          output.print(
            `${String(seq).padStart(6)}  ${at}  ${kind.padEnd(14)} ${who.padEnd(16)} ${what}`,
          );
        }
      }
      return exit.done;
    },
  },
};
