// `lifeline edge trust`: which OPC UA servers a gateway believes, and who it is to them. Works on the
// files beside the gateway file; a running gateway takes them at its next attempt. In place of a
// gateway file a folder of certificates will do, such as `edge browse` has without one.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { extname } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { systemRandom } from '../core/random.ts';
import { bilingual } from '../core/text/text.ts';
import { loadPki } from '../edge/config/loader.ts';
import type { Own } from '../edge/links/opcua-own.ts';
import {
  ownCertificate,
  prepareNext,
  readNext,
  readOwn,
  useNext,
} from '../edge/links/opcua-own.ts';
import { pemBlock } from '../edge/links/opcua-pki.ts';
import type { Known, Unreadable } from '../edge/links/opcua-trust.ts';
import {
  fileOf,
  findKnown,
  isFingerprint,
  listTrust,
  refuse,
  remove,
  trust,
} from '../edge/links/opcua-trust.ts';
import {
  type Certificate,
  dayOf,
  daysUntil,
  namesHost,
  shortOf,
} from '../protocols/opcua/certificate.ts';
import { hostOf } from '../protocols/opcua/place.ts';
import { pad } from './columns.ts';
import { readBytes, writeNew } from './files.ts';
import { localTime } from './time.ts';
import type { Given, Output } from './verb.ts';
import { exit, UsageError } from './verb.ts';

/** The pki folder of what was named, and for whom. */
export interface Pki {
  readonly folder: string;
  readonly gateway: string;
  /** As it was typed, for the commands that are proposed. */
  readonly named: string;
}

/** Who a laptop is that browses for no gateway. */
export const BROWSER = 'browse';

export const isFolder = (named: string) =>
  statSync(named, { throwIfNoEntry: false })?.isDirectory() ?? false;

export function pkiOf(named: string): Pki {
  return isFolder(named)
    ? { folder: named, gateway: BROWSER, named }
    : { ...loadPki(named), named };
}

/** A command to type next. */
export function trustCommand(action: string, { named }: Pick<Pki, 'named'>, ...more: string[]) {
  const words = ['lifeline', 'edge', 'trust', action, named, ...more];
  return words.map((word) => (/^[\w./:@~-]+$/.test(word) ? word : quoted(word))).join(' ');
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

type Action = (pki: Pki, given: Given, output: Output) => Promise<number> | number;

const actions: Readonly<Record<string, Action>> = {
  list,
  show: (pki, given, output) => {
    const known = wanted('show', pki, given);
    if (output.json) output.print(JSON.stringify(objectOf(known)));
    else showKnown(known, output);
    if (known.state !== 'trusted' && !output.json) proposeAccept(pki, known, output);
    return exit.done;
  },
  accept,
  reject: (pki, given, output) => {
    const known = refuse(pki.folder, wanted('reject', pki, given), decision());
    told(output, known, 'trust-refused');
    if (!output.json) output.print(output.say('trust-refused-next', {}));
    return exit.done;
  },
  remove: (pki, given, output) => {
    const known = wanted('remove', pki, given);
    remove(pki.folder, known, decision());
    told(output, known, 'trust-removed');
    return exit.done;
  },
  own,
  renew,
};

export function run(given: Given, output: Output): Promise<number> {
  const [action = '', named] = given.words;
  const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (!act) {
    const known = Object.keys(actions).join('|');
    throw new UsageError(bilingual('trust-actions', { known, found: action }));
  }
  return Promise.resolve(act(pkiOf(named!), given, output));
}

const decision = () => ({ who: whoami(), atMs: systemClock.wallMs() });

/** Who typed it; behind sudo, who typed that. */
function whoami(): string {
  const { SUDO_USER: sudo } = process.env;
  let name: string;
  try {
    name = userInfo().username;
  } catch {
    name = `uid ${process.getuid?.() ?? '?'}`; // No account has this number, as in a container.
  }
  return sudo && sudo !== name ? `${sudo} as ${name}` : name;
}

function wanted(action: string, { folder }: Pki, given: Given): Known {
  const [, , typed] = given.words;
  if (typed === undefined) throw new UsageError(bilingual('trust-usage', { action }));
  if (!isFingerprint(typed)) {
    throw new UsageError(bilingual('trust-fingerprint-usage', { found: typed }));
  }
  return findKnown(listTrust(folder), typed);
}

// --- The list ---

function list(pki: Pki, _given: Given, output: Output): number {
  const { folder } = pki;
  const { known, unreadable, beyond } = listTrust(folder);
  const [mine, next] = [readOwn(folder), readNext(folder)];
  if (output.json) {
    output.print(
      JSON.stringify({
        folder,
        own: mine && ownObject(mine),
        next: next && ownObject(next),
        certificates: known.map(objectOf),
        unreadable,
        beyond,
      }),
    );
    return exit.done;
  }
  if (known.length === 0) output.print(output.say('trust-empty', { folder }));
  else for (const line of table(known, output)) output.print(line);
  for (const each of unreadable) output.note(unreadableLine(each, output));
  if (beyond > 0) output.note(output.say('trust-beyond', { count: beyond }));
  output.print('');
  if (mine) output.print(output.say('trust-own-line', lifeOf(mine.facts)));
  else output.print(output.say('trust-own-none', { command: trustCommand('own', pki) }));
  if (next) {
    const command = trustCommand('renew', pki, '--use');
    output.print(output.say('trust-next-line', { ...lifeOf(next.facts), command }));
  }
  const waiting = known.find(({ state }) => state === 'unknown');
  if (waiting) proposeAccept(pki, waiting, output);
  return exit.done;
}

function table(known: readonly Known[], output: Output): string[] {
  const rows = known.map(({ state, certificate, endpoint }) => [
    output.say(`trust-state-${state}`, {}),
    shortOf(certificate.fingerprint),
    dayOf(certificate.untilMs),
    `${daysUntil(certificate.untilMs, systemClock.wallMs())}`,
    certificate.subject,
    endpoint ?? '-',
  ]);
  const heads = ['state', 'fingerprint', 'ends', 'days', 'subject', 'seen'] as const;
  const all = [heads.map((head) => output.say(`trust-column-${head}`, {})), ...rows];
  const widths = heads.map((_, at) => Math.max(...all.map((row) => columns(row[at]!))));
  return all.map((row) =>
    row
      .map((text, at) => pad(text, widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}

const columns = (text: string) =>
  [...text].reduce((sum, sign) => sum + (sign > '\u2e7f' ? 2 : 1), 0);

function lifeOf({ fingerprint, untilMs }: Certificate) {
  const days = daysUntil(untilMs, systemClock.wallMs());
  return { fingerprint: shortOf(fingerprint), until: dayOf(untilMs), days };
}

function unreadableLine({ file, bytes, why }: Unreadable, output: Output): string {
  const text = output.say(`trust-why-${why}`, {});
  // Whoever named the file: JSON shows what would move the cursor.
  return output.say('trust-no-file-line', { file: JSON.stringify(file), bytes, why: text });
}

function proposeAccept(pki: Pki, { certificate }: Known, output: Output): void {
  const command = trustCommand('accept', pki, shortOf(certificate.fingerprint));
  output.print(output.say('trust-next-accept', { command }));
}

// --- One of them ---

/** Everything of it, as a person compares it with what the server shows. */
export function showKnown(known: Known, output: Output): void {
  const { endpoint, firstSeenMs, seenMs, decided, file, state } = known;
  const first = localTime(firstSeenMs ?? seenMs);
  const seen = { endpoint: endpoint ?? '', first, last: localTime(seenMs) };
  const rows: [Field, string][] = [
    ['state', output.say(`trust-state-${state}`, {})],
    ...factRows(known.certificate, known.der, output),
    ...(endpoint === null ? [] : [['seen', output.say('trust-seen', seen)] as [Field, string]]),
  ];
  if (decided) {
    const values = { who: decided.who, at: localTime(decided.atMs) };
    rows.push(['decided', output.say('trust-decided', values)]);
  }
  rows.push(['file', file]);
  printRows(rows, output);
}

type Field =
  | ('state' | 'subject' | 'issuer' | 'uri' | 'hosts' | 'life')
  | ('key' | 'sha256' | 'sha1' | 'seen' | 'decided' | 'file');

function factRows(certificate: Certificate, der: Uint8Array, output: Output): [Field, string][] {
  const { subject, issuer, isSelfSigned, applicationUri, hosts, fromMs, untilMs } = certificate;
  const nowMs = systemClock.wallMs();
  const life = { from: dayOf(fromMs), until: dayOf(untilMs), days: daysUntil(untilMs, nowMs) };
  return [
    ['subject', subject],
    ['issuer', isSelfSigned ? output.say('trust-itself', {}) : issuer],
    ['uri', applicationUri ?? '-'],
    ['hosts', hosts.join(', ') || '-'],
    ['life', output.say(untilMs < nowMs ? 'trust-life-over' : 'trust-life', life)],
    ['key', certificate.bits === null ? '-' : `RSA ${certificate.bits}`],
    ['sha256', inPairs(certificate.fingerprint)],
    ['sha1', inPairs(thumbprintOf(der))], // What many servers and tools show.
  ];
}

function printRows(rows: readonly [Field, string][], output: Output): void {
  const named = rows.map(
    ([field, text]) => [output.say(`trust-field-${field}`, {}), text] as const,
  );
  const width = Math.max(...named.map(([name]) => columns(name)));
  for (const [name, text] of named) output.print(`${pad(name, width)}  ${text}`);
}

const inPairs = (hex: string) => (hex.toUpperCase().match(/../g) ?? []).join(':');

function thumbprintOf(der: Uint8Array): string {
  return createHash('sha1').update(der).digest('hex');
}

function objectOf({ state, certificate, der, endpoint, firstSeenMs, seenMs, ...rest }: Known) {
  const { decided, file } = rest;
  return {
    ...{ state, ...factsObject(certificate, der), endpoint },
    firstSeen: firstSeenMs === null ? null : iso(firstSeenMs),
    seen: iso(seenMs),
    decided: decided && { at: iso(decided.atMs), by: decided.who },
    file,
  };
}

function factsObject(certificate: Certificate, der: Uint8Array) {
  const { fingerprint, fromMs, untilMs, ...rest } = certificate;
  const days = daysUntil(untilMs, systemClock.wallMs());
  const life = { from: iso(fromMs), until: iso(untilMs), days };
  return { fingerprint, thumbprint: thumbprintOf(der), ...rest, ...life };
}

function ownObject({ facts, certificate, file }: Own) {
  return { ...factsObject(facts, certificate), file };
}

const iso = (ms: number) => new Date(ms).toISOString();

// --- What a person decides ---

/** By fingerprint, or `--file`: one that was carried here from its server. */
function accept(pki: Pki, given: Given, output: Output): number {
  const file = given.text('file');
  const known =
    file === undefined
      ? wanted('accept', pki, given)
      : fileOf(file, readBytes(file), systemClock.wallMs());
  const before = listTrust(pki.folder).known.find(
    ({ certificate }) => certificate.fingerprint === known.certificate.fingerprint,
  );
  const isTrusted = before?.state === 'trusted';
  const trusted = isTrusted ? before : trust(pki.folder, before ?? known, decision());
  if (output.json) {
    output.print(JSON.stringify(objectOf(trusted)));
    return exit.done;
  }
  showKnown(trusted, output);
  output.print('');
  told(output, trusted, isTrusted ? 'trust-accepted-before' : 'trust-accepted');
  for (const line of warningsOf(trusted, output)) output.print(line);
  output.print(output.say('trust-accepted-next', {}));
  return exit.done;
}

/** What the link must say before it talks to this one. */
function warningsOf({ certificate, endpoint }: Known, output: Output): string[] {
  const { hosts, applicationUri, untilMs } = certificate;
  const warnings: string[] = [];
  if (endpoint !== null && !namesHost(certificate, hostOf(endpoint))) {
    const [name = applicationUri ?? ''] = hosts;
    const values = { names: hosts.join(', ') || '-', endpoint, setting: `{ host: "${name}" }` };
    warnings.push(output.say('trust-accepted-host', values));
  }
  if (untilMs < systemClock.wallMs()) {
    const values = { until: dayOf(untilMs), setting: '{ expired: accept }' };
    warnings.push(output.say('trust-accepted-over', values));
  }
  return warnings;
}

function told(
  output: Output,
  known: Known,
  key: 'trust-accepted' | 'trust-accepted-before' | 'trust-refused' | 'trust-removed',
): void {
  const { subject, fingerprint } = known.certificate;
  if (output.json) output.print(JSON.stringify(objectOf(known)));
  else output.print(output.say(key, { subject, fingerprint: shortOf(fingerprint) }));
}

// --- The gateway's own ---

async function own(pki: Pki, given: Given, output: Output): Promise<number> {
  const { folder, gateway } = pki;
  const mine = await ownCertificate(systemClock, systemRandom, { folder, gateway, who: whoami() });
  const out = writeOut(given, mine);
  if (output.json) output.print(JSON.stringify({ ...ownObject(mine), written: out ?? null }));
  else {
    showOwn(mine, output);
    const command = trustCommand('own', pki, '--out', `${gateway}.der`);
    if (out === undefined) output.print(output.say('trust-own-next', { command }));
    else output.print(output.say('trust-own-written', { file: out }));
  }
  return exit.done;
}

async function renew(pki: Pki, given: Given, output: Output): Promise<number> {
  const { folder, gateway } = pki;
  const who = whoami();
  if (given.flag('use')) {
    const used = useNext(systemClock, folder, who);
    if (output.json) output.print(JSON.stringify(ownObject(used)));
    else output.print(output.say('trust-used', lifeOf(used.facts)));
    return exit.done;
  }
  const key = given.flag('new-key') ? 'new' : 'keep';
  const next = await prepareNext(systemClock, systemRandom, { folder, gateway, key, who });
  const out = writeOut(given, next);
  if (output.json) output.print(JSON.stringify({ ...ownObject(next), written: out ?? null }));
  else {
    showOwn(next, output);
    output.print('');
    if (out !== undefined) output.print(output.say('trust-own-written', { file: out }));
    output.print(output.say('trust-prepared', lifeOf(next.facts)));
    const command = trustCommand('renew', pki, '--use');
    output.print(output.say('trust-prepared-next', { command }));
  }
  return exit.done;
}

function showOwn({ facts, certificate, file }: Own, output: Output): void {
  printRows([...factRows(facts, certificate, output), ['file', file]], output);
}

/** PEM or DER by the name, as servers want one or the other. */
function writeOut(given: Given, { certificate }: Own): string | undefined {
  const out = given.text('out');
  if (out === undefined) return undefined;
  const isPem = ['.pem', '.crt'].includes(extname(out).toLowerCase());
  writeNew(out, isPem ? pemBlock(certificate) : certificate);
  return out;
}
