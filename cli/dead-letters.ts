// `lifeline cloud dead-letters`: what a running cloud could not take.
import { Client, clientOptions } from './client.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

interface Letter {
  readonly id: number;
  readonly at: string;
  readonly reason: string;
  readonly detail: string;
  readonly area: string;
  readonly gateway: string;
  readonly topic: string;
  readonly size: number;
  readonly begins: string;
}

const USAGE = 'dead-letters [list|show] [ID]';
const ROW_BYTES = 16;

async function deadLetters(given: Given, output: Output): Promise<number> {
  const [action = 'list', id] = given.words;
  const client = Client.from(given, output);
  if (action === 'list' && id === undefined) {
    const limit = given.number('limit') ?? 200;
    const path = `/v1/dead-letters?limit=${limit}`;
    const { items } = await client.get<{ items: Letter[] }>(path);
    if (output.json) output.print(JSON.stringify(items));
    else if (items.length === 0) output.print(output.say('cli-no-letters', {}));
    else for (const letter of items) output.print(letterLine(letter));
    return exit.done;
  }
  if (action !== 'show' || !/^\d+$/.test(id ?? '')) throw new UsageError(USAGE);
  const letter = await client.get<Letter>(`/v1/dead-letters/${id}`);
  if (output.json) output.print(JSON.stringify(letter));
  else {
    output.print(letterLine(letter));
    if (letter.detail !== '') output.print(`  ${letter.detail}`);
    for (const row of hexRows(Buffer.from(letter.begins, 'base64'))) output.print(row);
  }
  return exit.done;
}

// What a sender wrote may hold anything: control signs are shown, never sent to the terminal.
function letterLine({ id, at, reason, gateway, topic, size }: Letter): string {
  const from = [gateway, topic].map((text) => JSON.stringify(text).slice(1, -1) || '-');
  return [String(id).padStart(6), localTime(at), reason.padEnd(14), ...from, `${size} B`].join(
    '  ',
  );
}

function hexRows(bytes: Uint8Array): string[] {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = [...bytes.subarray(at, at + ROW_BYTES)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    rows.push(`  ${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text.join('')}`);
  }
  return rows;
}

export const deadLettersVerb: Verb = {
  usage: 'dead-letters [ACTION] [ID]',
  summary: {
    en: 'messages the cloud could not take: list, or show ID with what is kept of it',
    zh: '云端未能接收的消息：list 列出，show ID 显示其内容',
  },
  options: { ...clientOptions, limit: 'number' },
  run: deadLetters,
};
