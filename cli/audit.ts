// `lifeline audit`: who did what and what the machine decided; whether that was tampered with. Of a
// running cloud over its API, or with `--folder` of the files of one, running or not.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { Flaw, Head, JournalRow, Verdict } from '../cloud/alarms/chain.ts';
import type { JournalEntry, JournalFilter } from '../cloud/alarms/journal.ts';
import { storedRow, verify } from '../cloud/alarms/journal.ts';
import { openJournalFile } from '../cloud/registry/journal-file.ts';
import { systemClock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { bilingual, fillBilingual } from '../core/text/text.ts';
import { Client, clientOptions } from './client.ts';
import { localTime, timeOf } from './time.ts';
import type { Given, OptionKind, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

const LIST_DEFAULT = 200;
const PAGE = 1_000;

type Order = 'oldest' | 'newest';

/** The journal, wherever it is. */
interface Source {
  entries(filter: JournalFilter, order: Order): AsyncGenerator<JournalEntry>;
  /** All, as stored, the oldest first. */
  rows(): AsyncGenerator<JournalRow>;
  get(seq: number): Promise<JournalEntry>;
  head(): Promise<Head | null>;
  verify(head: Head | null): Promise<Verdict>;
  close(): void;
}

async function withSource(
  given: Given,
  output: Output,
  use: (source: Source) => Promise<number>,
): Promise<number> {
  const folder = given.text('folder');
  const source = folder === undefined ? apiSource(Client.from(given, output)) : fileSource(folder);
  try {
    return await use(source);
  } finally {
    source.close();
  }
}

function fileSource(folder: string): Source {
  const { journal, heads, close } = openJournalFile(folder);
  return {
    entries: async function* (filter, order) {
      for (let after: number | null = null; ; ) {
        const { entries, next } = journal.list(filter, { order, after, limit: PAGE });
        yield* entries;
        if (next === null) return;
        after = next;
      }
    },
    rows: async function* () {
      yield* journal.rows();
    },
    get: async (seq) => {
      const entry = journal.get(seq);
      if (entry) return entry;
      throw new Fault('api_not_found', 'never', bilingual('api-no-entry', { seq }));
    },
    head: async () => journal.head(),
    verify: async (head) => {
      const { heads: noted, flaws } = heads(journal.head());
      return verify(journal, head ? [...noted, head] : noted, flaws, async () => {});
    },
    close,
  };
}

type Told = Omit<JournalEntry, 'atMs'> & { readonly at_ms: number };
const entryOf = ({ at_ms: atMs, ...told }: Told): JournalEntry => ({ ...told, atMs });

function apiSource(client: Client): Source {
  async function* entries(filter: JournalFilter, order: Order): AsyncGenerator<JournalEntry> {
    const { what, who, kind, fromMs, toMs } = filter;
    const query = new URLSearchParams({ order, limit: String(PAGE) });
    if (what !== undefined) query.set('what', what);
    if (who !== undefined) query.set('who', who);
    if (kind !== undefined) query.set('kind', kind);
    if (fromMs !== undefined) query.set('from', new Date(fromMs).toISOString());
    if (toMs !== undefined) query.set('to', new Date(toMs).toISOString());
    for (;;) {
      const page = await client.get<{ items: Told[]; next: string | null }>(`/v1/journal?${query}`);
      yield* page.items.map(entryOf);
      if (page.next === null) return;
      query.set('after', page.next);
    }
  }
  return {
    entries,
    rows: async function* () {
      for await (const entry of entries({}, 'oldest')) yield storedRow(entry);
    },
    get: async (seq) => entryOf(await client.get<Told>(`/v1/journal/${seq}`)),
    head: async () => (await client.get<{ head: Head | null }>('/v1/journal/head')).head,
    verify: (head) =>
      client.get<Verdict>(`/v1/journal/verify${head ? `?head=${head.seq}:${head.hash}` : ''}`),
    close: () => {},
  };
}

// A day less than a Date holds: what an entry says may be anything, and a zone may be added.
const isDate = (atMs: number) => Math.abs(atMs) < 8.64e15 - 86_400_000;
const when = (atMs: number) => (isDate(atMs) ? new Date(atMs).toISOString() : `${atMs} ms`);

// What stands in an entry may come from anywhere: control signs are shown, never sent on.
const plain = (text: string) => JSON.stringify(text).slice(1, -1);

function line({ seq, atMs, kind, who, from, what }: JournalEntry): string {
  const words = [kind.padEnd(18), who.padEnd(16), from.padEnd(15), what].map(plain);
  const at = isDate(atMs) ? localTime(atMs) : when(atMs);
  return [String(seq).padStart(6), at, ...words].join('  ');
}

function object({ atMs, ...entry }: JournalEntry) {
  return { ...entry, at: when(atMs), at_ms: atMs };
}

function filterOf(given: Given): JournalFilter {
  const nowMs = systemClock.wallMs();
  const what = given.text('alarm') ?? given.text('what');
  const [who, kind, from, to] = ['who', 'kind', 'from', 'to'].map((name) => given.text(name));
  return {
    ...(what !== undefined && { what }),
    ...(who !== undefined && { who }),
    ...(kind !== undefined && { kind }),
    ...(from !== undefined && { fromMs: timeOf('--from', from, nowMs) }),
    ...(to !== undefined && { toMs: timeOf('--to', to, nowMs) }),
  };
}

function list(given: Given, output: Output): Promise<number> {
  const words = given.words.map((word) => word.toLowerCase());
  const most = given.number('limit') ?? LIST_DEFAULT;
  const order = given.flag('oldest') ? 'oldest' : 'newest';
  return withSource(given, output, async (source) => {
    const found: JournalEntry[] = [];
    if (most > 0) {
      for await (const entry of source.entries(filterOf(given), order)) {
        const text = words.length > 0 ? JSON.stringify(object(entry)).toLowerCase() : '';
        if (!words.every((word) => text.includes(word))) continue;
        if (!output.json) output.print(line(entry));
        if (found.push(entry) >= most) break;
      }
    }
    if (output.json) output.print(JSON.stringify(found.map(object)));
    else if (found.length === 0) output.note(output.say('journal-none', {}));
    return exit.done;
  });
}

function show(given: Given, output: Output): Promise<number> {
  const [found = ''] = given.words;
  if (!/^[1-9]\d{0,14}$/.test(found)) {
    throw new UsageError(bilingual('journal-bad-seq', { found }));
  }
  return withSource(given, output, async (source) => {
    const entry = await source.get(Number(found));
    if (output.json) output.print(JSON.stringify(object(entry)));
    else {
      output.print(line(entry));
      output.print(`  - ${JSON.stringify(entry.before)}`);
      output.print(`  + ${JSON.stringify(entry.after)}`);
      output.print(`  ${entry.hash}`);
    }
    return exit.done;
  });
}

const headText = (head: Head | null) => (head ? `${head.seq}:${head.hash}` : '0');

function head(given: Given, output: Output): Promise<number> {
  return withSource(given, output, async (source) => {
    const newest = await source.head();
    if (output.json) output.print(JSON.stringify(newest));
    else if (newest) output.print(headText(newest));
    else output.note(output.say('journal-empty', {}));
    return exit.done;
  });
}

function givenHead(given: Given): Head | null {
  const found = given.text('head');
  if (found === undefined) return null;
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(found);
  if (match) return { seq: Number(match[1]), hash: match[2]! };
  throw new UsageError(bilingual('journal-bad-head', { found }));
}

function check(given: Given, output: Output): Promise<number> {
  const asked = givenHead(given);
  return withSource(given, output, async (source) => {
    const { entries, heads, head: newest, flaws, beyond } = await source.verify(asked);
    const sound = flaws.length === 0;
    if (output.json) {
      output.print(JSON.stringify({ sound, entries, heads, head: newest, flaws, beyond }));
    } else if (sound) {
      output.print(output.say('journal-sound', { entries, heads, head: headText(newest) }));
    } else {
      output.print(output.say('journal-unsound', { entries, count: flaws.length + beyond }));
      for (const flaw of flaws) output.print(`  ${flawText(flaw, output)}`);
      if (beyond > 0) output.print(`  ${output.say('journal-flaws-beyond', { count: beyond })}`);
    }
    return sound ? exit.done : exit.found;
  });
}

function flawText({ kind, seq, through }: Flaw, { language }: Output): string {
  return fillBilingual(`journal-flaw-${kind}`, { seq, through })[language];
}

// The texts that the hashes are taken over, one entry a line, so that any program can verify.
function exportLine(row: JournalRow): string {
  const { atMs, ...rest } = row;
  return JSON.stringify({ ...rest, at_ms: atMs });
}

function exportAll(given: Given, output: Output): Promise<number> {
  const [file = '-'] = given.words;
  return withSource(given, output, async (source) => {
    // A file that is there stays: an export is kept to be compared with.
    const handle = file === '-' ? null : openSync(file, 'wx', 0o600);
    let entries = 0;
    try {
      for await (const row of source.rows()) {
        const text = exportLine(row);
        entries++;
        if (handle === null) output.print(text);
        else writeSync(handle, `${text}\n`);
      }
      if (handle !== null) fsyncSync(handle);
    } finally {
      if (handle !== null) closeSync(handle);
    }
    const newest = headText(await source.head());
    output.note(output.say('journal-exported', { entries, head: newest, file }));
    return exit.done;
  });
}

const where = { ...clientOptions, folder: 'text' } as const satisfies Record<string, OptionKind>;
const filters = {
  ...{ alarm: 'text', what: 'text', who: 'text', kind: 'text', from: 'text', to: 'text' },
  ...{ limit: 'number', oldest: 'flag' },
} as const satisfies Record<string, OptionKind>;

export const verbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: {
      en: 'who did what and what the machine decided, the newest first',
      zh: '操作与判定记录，最新在前',
    },
    options: { ...where, ...filters },
    run: list,
  },
  search: {
    usage: 'search TEXT...',
    summary: {
      en: 'entries in which every TEXT stands, wherever in them',
      zh: '查找包含全部 TEXT 的记录（任意字段）',
    },
    options: { ...where, ...filters },
    run: list,
  },
  show: {
    usage: 'show SEQ',
    summary: {
      en: 'one entry with what was before and after',
      zh: '显示一条记录及其前后内容',
    },
    options: where,
    run: show,
  },
  verify: {
    usage: 'verify',
    summary: {
      en: 'whether any entry was changed, taken out, put in, moved or cut off',
      zh: '检查记录是否被改动、删除、插入、调换或截去',
    },
    options: { ...where, head: 'text' },
    run: check,
  },
  head: {
    usage: 'head',
    summary: {
      en: 'the newest entry as SEQ:HASH, to be kept where nobody of here can write',
      zh: '以 SEQ:HASH 输出最新摘要，供异地留存',
    },
    options: where,
    run: head,
  },
  export: {
    usage: 'export [FILE]',
    summary: {
      en: 'the whole journal, a JSON object a line, as other programs verify it',
      zh: '导出全部日志（每行一个 JSON 对象），供其他程序验证',
    },
    options: where,
    run: exportAll,
  },
};
