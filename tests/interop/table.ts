// What the runs came to, as the table in the README of the protocol.
import type { Outcome, Pair } from './pairs.ts';
import { isOurs, peersFound } from './pairs.ts';

export const BEGIN = '<!-- interop: npm run interop -- modbus --write -->';
export const END = '<!-- /interop -->';

const ways = { tcp: 'TCP', rtu: 'RTU, pty', ascii: 'ASCII, pty' } as const;
const heads = [
  'client',
  'server',
  'over',
  'functions',
  'at the limit',
  'exceptions',
  'values',
  'result',
];

/** How a row of the table begins. */
export function rowStart({ client, server, over }: Pair): string {
  return `| ${client} | ${server} | ${ways[over]} |`;
}

export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => {
    const { functions, limits, exceptions, values, result, notes, differences } = outcome;
    const remarks = [...notes, ...differences].join('; ');
    const last = remarks ? `${result}: ${remarks}` : result;
    const cells = [ranges(functions), ranges(limits), ranges(exceptions), `${values}`, last];
    return `${rowStart(outcome)} ${cells.join(' | ')} |`;
  });
  const rule = heads.map(() => '---').join('|');
  return [`| ${heads.join(' | ')} |`, `|${rule}|`, ...rows].join('\n');
}

/** The table with who took part and when. */
export function sectionOf(outcomes: readonly Outcome[], date: string): string {
  const peers = peersFound().map(({ name, version }) => `${name} ${version}`);
  const ran = outcomes.filter(({ result }) => result !== 'not run');
  const agreed = ran.filter(({ result }) => result === 'agrees').length;
  const foreign = new Set(
    ran.flatMap(({ client, server }) => [client, server]).filter((name) => !isOurs(name)),
  );
  const said = `${date}, with ${peers.join(', ')}: ${agreed} of ${ran.length} pairs agree`;
  return `${BEGIN}\n\n${said} (${foreign.size} foreign programs).\n\n${tableOf(outcomes)}\n\n${END}`;
}

/** `text` with the section between the markers replaced. */
export function withSection(text: string, section: string): string {
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error('the markers of the table are missing');
  return text.slice(0, start) + section + text.slice(end + END.length);
}

/** 1-4, 6. */
export function ranges(sorted: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(
      end > at + 1 ? `${sorted[at]}-${sorted[end]}` : sorted.slice(at, end + 1).join(', '),
    );
    at = end + 1;
  }
  return parts.join(', ') || '-';
}
