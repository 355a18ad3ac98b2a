// Cases from the command line: what people do about an alarm. Each step is a verb with the words of
// the desk; `--revision N` makes it hold only for what was read, and who was faster is named.
import { extname } from 'node:path';
import { caseStates } from '../cloud/cases/case.ts';
import type { CaseEntryKind } from '../cloud/cases/tables.ts';
import { detailWords, measured } from '../cloud/cases/words.ts';
import { bilingual, type MessageKey } from '../core/text/text.ts';
import { stopSignal } from './child.ts';
import { Client, clientOptions } from './client.ts';
import { levels } from './columns.ts';
import { readBytes, writeNew } from './files.ts';
import { localTime as time } from './time.ts';
import type { Given, OptionKind, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

type Words = { readonly en: string; readonly zh: string };

interface Case {
  readonly id: string;
  readonly revision: number;
  readonly state: 'new';
  readonly level: 1 | 2 | 3 | 4;
  readonly title: Words;
  readonly asset: string | null;
  readonly owner: string | null;
  readonly department: string;
  readonly opened: string;
  readonly due: string | null;
  readonly overdue: boolean;
  readonly escalation: number;
  readonly alarms: number;
  readonly active: number;
  readonly waiting: { readonly id: number; readonly by: string } | null;
}

interface WholeCase extends Case {
  readonly steps: readonly {
    readonly state: string;
    readonly entered: string;
    readonly due: string;
    readonly left: string | null;
    readonly owner: string | null;
    readonly department: string;
  }[];
  readonly members: readonly {
    readonly alarm: string;
    readonly raised: string;
    readonly ended: string | null;
    readonly state: string | null;
    readonly level: 1 | 2 | 3 | 4 | null;
    readonly title: Words | null;
    readonly value: number | null;
    readonly limit: number | null;
    readonly unit: string;
  }[];
  readonly log: readonly {
    readonly at: string;
    readonly kind: CaseEntryKind;
    readonly by: string;
    readonly text: string;
    readonly detail: Readonly<Record<string, string>>;
  }[];
  readonly files: readonly {
    readonly id: number;
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
    readonly by: string;
    readonly at: string;
  }[];
}

// Keys made of what the server says: its own lists are those of the catalogue.
const word = (output: Output, key: string) => output.say(key as MessageKey, {} as never);

function caseLine(it: Case, output: Output): string {
  const owner = [it.owner ?? '-', it.department].filter(Boolean).join(', ');
  const due = it.due && output.say(it.overdue ? 'case-overdue' : 'case-due', { at: time(it.due) });
  return [
    it.id,
    levels[it.level].padEnd(3),
    word(output, `case-${it.state}`),
    it.title[output.language],
    it.asset ?? '',
    owner,
    output.say('case-alarms', { alarms: it.alarms, active: it.active }),
    due ?? '',
  ]
    .filter((part) => part !== '')
    .join('  ');
}

function tell(it: Case, output: Output): number {
  if (output.json) output.print(JSON.stringify(it));
  else if (it.waiting) {
    output.print(caseLine(it, output));
    output.print(output.say('case-waits', { by: it.waiting.by, id: it.waiting.id }));
  } else output.print(caseLine(it, output));
  return exit.done;
}

const caseOutcomes = ['false-alarm', 'test', 'drill'] as const;
const caseLists = ['open', 'ended', 'all', ...caseStates] as const;

function oneOf(given: Given, name: string, known: readonly string[]): string | undefined {
  const text = given.text(name);
  if (text === undefined || known.includes(text)) return text;
  const values = { option: `--${name}`, known: known.join(' ') };
  throw new UsageError(bilingual('case-one-of', values));
}

/** A verb that posts one step. */
function step(
  path: string,
  usage: string,
  summary: Words,
  options: Readonly<Record<string, OptionKind>>,
  body: (given: Given) => object,
): Verb {
  return {
    usage,
    summary,
    options: { ...clientOptions, revision: 'number', ...options },
    run: async (given, output) => {
      const fields = body(given);
      const revision = given.number('revision');
      const how = revision === undefined ? {} : { revision };
      const target = `/v1/cases/${encodeURIComponent(given.words[0]!)}/${path}`;
      return tell(await Client.from(given, output).post<Case>(target, fields, how), output);
    },
  };
}

const note = { note: 'text' } as const;
const noted = (given: Given) => ({ note: given.text('note') ?? '' });

const stepVerbs: Readonly<Record<string, Verb>> = {
  ack: step(
    'acknowledge',
    'ack ID',
    { en: 'take a new case, and its alarms', zh: '受理新案件并确认其报警' },
    note,
    noted,
  ),
  verify: step(
    'verify',
    'verify ID',
    { en: 'begin to verify that it is real', zh: '开始核实' },
    note,
    noted,
  ),
  dispatch: step(
    'dispatch',
    'dispatch ID',
    { en: 'send a crew: --crew NAME', zh: '派遣人员：--crew 名称' },
    { ...note, crew: 'text' },
    (given) => ({ ...noted(given), crew: needed(given, 'crew') }),
  ),
  arrive: step('arrive', 'arrive ID', { en: 'the crew is on site', zh: '人员到场' }, note, noted),
  contain: step('contain', 'contain ID', { en: 'it is contained', zh: '已控制' }, note, noted),
  close: step(
    'close',
    'close ID',
    {
      en: 'close it: --reason TEXT; while active, a second person approves',
      zh: '结案：--reason 原因；报警未恢复时须第二人批准',
    },
    { reason: 'text' },
    (given) => ({ reason: needed(given, 'reason') }),
  ),
  'false-alarm': step(
    'false-alarm',
    'false-alarm ID',
    {
      en: 'end it as false alarm: --reason TEXT; or --as test, --as drill',
      zh: '按误报终结：--reason 原因；或 --as test（测试）、--as drill（演练）',
    },
    { reason: 'text', as: 'text' },
    (given) => ({
      reason: needed(given, 'reason'),
      as: oneOf(given, 'as', caseOutcomes) ?? 'false-alarm',
    }),
  ),
  assign: step(
    'assign',
    'assign ID',
    {
      en: 'hand over: --owner NAME, --department NAME',
      zh: '转交：--owner 负责人，--department 部门',
    },
    { ...note, owner: 'text', department: 'text' },
    (given) => {
      const [owner, department] = [given.text('owner'), given.text('department')];
      return { ...noted(given), ...(owner && { owner }), ...(department && { department }) };
    },
  ),
  note: step('note', 'note ID TEXT', { en: 'add a note', zh: '添加备注' }, {}, (given) => {
    const text = given.words[1]?.trim() ?? '';
    if (text === '') throw new UsageError(bilingual('case-note-needed'));
    return { note: text };
  }),
  merge: step(
    'merge',
    'merge ID INTO',
    { en: 'it is part of another open case', zh: '并入另一未终结案件' },
    note,
    (given) => ({ ...noted(given), into: given.words[1] ?? '' }),
  ),
};

/** Until Ctrl-C. */
async function follow(given: Given, output: Output): Promise<number> {
  const client = Client.from(given, output);
  for await (const { event, data } of client.stream('cases', stopSignal())) {
    if (!event.startsWith('case.')) continue;
    if (output.json) output.print(JSON.stringify({ event, data }));
    else output.print(`${event.slice(5).padEnd(13)} ${caseLine(data as Case, output)}`);
  }
  return exit.done;
}

const lookVerbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: {
      en: 'open cases; --state ended|all|..., --owner NAME, --level 1, --overdue; --follow goes on',
      zh: '未终结案件；--state ended|all|…，--owner 负责人，--level 1，--overdue 仅超时；--follow 持续显示',
    },
    options: {
      ...clientOptions,
      ...{ state: 'text', owner: 'text', level: 'text', overdue: 'flag', follow: 'flag' },
    },
    run: async (given, output) => {
      const query = new URLSearchParams({ state: oneOf(given, 'state', caseLists) ?? 'open' });
      for (const name of ['owner', 'level']) {
        const value = name === 'level' ? oneOf(given, name, Object.keys(levels)) : given.text(name);
        if (value !== undefined) query.set(name, String(value));
      }
      if (given.flag('overdue')) query.set('overdue', 'true');
      const client = Client.from(given, output);
      const { items } = await client.get<{ items: Case[] }>(`/v1/cases?${query}`);
      if (output.json) output.print(JSON.stringify(items));
      else if (items.length === 0) output.print(output.say('case-no-cases', {}));
      else for (const it of items) output.print(caseLine(it, output));
      return given.flag('follow') ? follow(given, output) : exit.done;
    },
  },
  show: {
    usage: 'show ID',
    summary: {
      en: 'one case whole: its steps, who did what, its files',
      zh: '显示案件全貌：环节、处理记录、附件',
    },
    options: clientOptions,
    run: async (given, output) => {
      const path = `/v1/cases/${encodeURIComponent(given.words[0]!)}`;
      const it = await Client.from(given, output).get<WholeCase>(path);
      if (output.json) output.print(JSON.stringify(it));
      else printWhole(it, output);
      return exit.done;
    },
  },
  export: {
    usage: 'export ID',
    summary: {
      en: 'to print or to keep: --format html|csv|json, --out FILE',
      zh: '导出以打印或存档：--format html|csv|json，--out 文件',
    },
    options: { ...clientOptions, format: 'text', out: 'text' },
    run: async (given, output) => {
      const format = oneOf(given, 'format', ['html', 'csv', 'json']) ?? 'html';
      const id = encodeURIComponent(given.words[0]!);
      const path = `/v1/cases/${id}/export?format=${encodeURIComponent(format)}`;
      const bytes = await Client.from(given, output).download(path);
      return save(given, output, bytes);
    },
  },
  follow: {
    usage: 'follow',
    summary: { en: 'cases as they move', zh: '实时显示案件进展' },
    options: clientOptions,
    run: follow,
  },
};

function printWhole(it: WholeCase, output: Output): void {
  output.print(caseLine(it, output));
  if (it.waiting) {
    output.print(`  ${output.say('case-waits', { by: it.waiting.by, id: it.waiting.id })}`);
  }
  const { language } = output;
  output.print(output.say('case-page-stages', {}));
  for (const { state, entered, left, due, owner, department } of it.steps) {
    const stay = `${time(entered)} - ${left ? time(left) : ''}`.padEnd(41);
    const who = [owner ?? '', department].filter(Boolean).join(', ');
    const said = [word(output, `case-${state}`), output.say('case-due', { at: time(due) }), who];
    output.print(`  ${stay}  ${said.filter(Boolean).join('  ')}`);
  }
  output.print(output.say('case-page-alarms', {}));
  for (const { raised, ended, alarm, title, level, state, ...read } of it.members) {
    const until = ended ? time(ended) : output.say('case-page-active', {});
    const what = [level ? levels[level] : '', title?.[language], measured(read, language)];
    const said = [`${time(raised)} - ${until}`, state, ...what, alarm].filter(Boolean);
    output.print(`  ${said.join('  ')}`);
  }
  output.print(output.say('case-page-log', {}));
  for (const { at, kind, by, text, detail } of it.log) {
    const more = detailWords(detail).map(
      ({ label, value }) => `${label[language]}: ${value[language]}`,
    );
    const said = [word(output, `case-did-${kind}`), by, text, ...more].filter(Boolean);
    output.print(`  ${time(at)}  ${said.join('  ')}`);
  }
  if (it.files.length > 0) output.print(output.say('case-page-files', {}));
  for (const { id, name, bytes, sha256, by } of it.files) {
    output.print(`  #${id}  ${name}  ${bytes} B  ${sha256.slice(0, 12)}  ${by}`);
  }
}

function save(given: Given, output: Output, bytes: Uint8Array): number {
  const out = given.text('out');
  if (out === undefined) output.print(new TextDecoder().decode(bytes).trimEnd());
  else {
    writeNew(out, bytes);
    output.note(output.say('case-saved', { file: out, bytes: bytes.length }));
  }
  return exit.done;
}

const typeOf: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.heic': 'image/heic',
  '.pdf': 'application/pdf',
  '.txt': 'text/plain',
  '.csv': 'text/csv',
};

const fileVerbs: Readonly<Record<string, Verb>> = {
  attach: {
    usage: 'attach ID FILE',
    summary: {
      en: 'attach a photo or file: JPEG, PNG, WebP, HEIC, PDF, text, CSV, up to 8 MB',
      zh: '添加照片或文件：JPEG、PNG、WebP、HEIC、PDF、文本、CSV，不超过 8 MB',
    },
    options: clientOptions,
    run: async (given, output) => {
      const [id = '', file = ''] = given.words;
      const type = typeOf[extname(file).toLowerCase()];
      if (!type) throw new UsageError(bilingual('case-file-kinds', { file }));
      const query = new URLSearchParams({ name: file });
      const path = `/v1/cases/${encodeURIComponent(id)}/attachments?${query}`;
      const client = Client.from(given, output);
      const added = await client.upload<WholeCase['files'][number]>(path, type, readBytes(file));
      const { name, bytes, sha256 } = added;
      if (output.json) output.print(JSON.stringify(added));
      else output.print(output.say('case-attached', { name, bytes, sha256, id: added.id }));
      return exit.done;
    },
  },
  file: {
    usage: 'file ID NUMBER',
    summary: { en: 'a file of a case: --out FILE', zh: '取出案件附件：--out 文件' },
    options: { ...clientOptions, out: 'text' },
    run: async (given, output) => {
      const [id = '', file = ''] = given.words.map(encodeURIComponent);
      needed(given, 'out');
      const path = `/v1/cases/${id}/attachments/${file}`;
      return save(given, output, await Client.from(given, output).download(path));
    },
  },
};

export const verbs = { ...lookVerbs, ...stepVerbs, ...fileVerbs };
