// A register table as people have it: pasted from a PDF, saved by a spreadsheet. Bytes become rows
// of cells; nothing is understood yet.
//
// Encodings: UTF-8, UTF-16 (with or without a byte order mark), GB18030, which a spreadsheet on a
// Chinese Windows saves, and Windows-1252, which one on a Western Windows saves. The last two share
// bytes: a degree sign before a C is one Chinese character to GB18030. Chinese text has high bytes
// in pairs, so where every high byte stands alone it is Windows-1252.
//
// Separators: comma, semicolon, tab, whichever gives the most rows of equal width. Cells may be
// quoted, with line breaks inside: a row is a row of the table, as a spreadsheet counts it.
import { assert } from '../core/fault.ts';

export const TABLE_BYTES_MAX = 1024 * 1024; // 256 points of 200 bytes are 50 KB.
export const TABLE_ROWS_MAX = 4_000;
export const TABLE_COLUMNS_MAX = 100;
const CELL_CHARACTERS_MAX = 1_000; // Longer text is cut: only remarks are that long.

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'gb18030' | 'windows-1252';
const separators = [',', ';', '\t'] as const;
export type Separator = (typeof separators)[number];

export interface RegisterTable {
  readonly encoding: Encoding;
  readonly separator: Separator;
  /** Texts without blanks at their ends and without control characters; row 1 is the first. */
  readonly rows: readonly (readonly string[])[];
}

export type TableRefusal =
  | { readonly why: 'too-large' | 'too-many-rows' | 'encoding' | 'empty' }
  /** A quoted cell that never ends; counted from 1. */
  | { readonly why: 'quote'; readonly row: number; readonly column: number };

export function readRegisterTable(bytes: Uint8Array): RegisterTable | TableRefusal {
  if (bytes.length > TABLE_BYTES_MAX) return { why: 'too-large' };
  const encoding = encodingOf(bytes);
  if (!encoding) return { why: 'encoding' };
  const text = new TextDecoder(encoding).decode(bytes);
  if (text.trim() === '') return { why: 'empty' };
  const read = separators.map((separator) => ({ separator, ...split(text, separator) }));
  const [best] = read.sort((a, b) => b.evenness - a.evenness);
  assert(best, 'there is a separator');
  if (best.open) return { why: 'quote', ...best.open };
  if (best.rows.length > TABLE_ROWS_MAX) return { why: 'too-many-rows' };
  return { encoding, separator: best.separator, rows: best.rows };
}

/** A letter or two as spreadsheets name columns; `column` counts from 1. */
export function columnName(column: number): string {
  const at = column - 1;
  const last = String.fromCharCode(65 + (at % 26));
  return at < 26 ? last : columnName(Math.floor(at / 26)) + last;
}

function encodingOf(bytes: Uint8Array): Encoding | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const zeros = [0, 0];
  bytes.forEach((byte, at) => {
    if (byte === 0) zeros[at % 2]!++;
  });
  // Separators and digits of UTF-16 have a zero byte each, on the same side.
  const [even = 0, odd = 0] = zeros;
  if (even + odd > bytes.length / 10) return odd > even ? 'utf-16le' : 'utf-16be';
  if (decodes(bytes, 'utf-8')) return 'utf-8';
  const isHigh = (at: number) => (bytes[at] ?? 0) >= 0x80;
  if (bytes.every((_, at) => !isHigh(at) || !(isHigh(at - 1) || isHigh(at + 1)))) {
    return 'windows-1252';
  }
  return decodes(bytes, 'gb18030') ? 'gb18030' : null;
}

function decodes(bytes: Uint8Array, encoding: Encoding): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false; // How the decoder says that it is not.
    throw error;
  }
}

interface Split {
  readonly rows: readonly (readonly string[])[];
  /** Rows of the most frequent width above one, and a little for each column of it. */
  readonly evenness: number;
  readonly open: { readonly row: number; readonly column: number } | null;
}

function split(text: string, separator: Separator): Split {
  const rows: string[][] = [];
  let row: string[] = [];
  let open: Split['open'] = null;
  let at = 0;
  while (at <= text.length && rows.length <= TABLE_ROWS_MAX) {
    const isQuoted = /^[ ]*"/.test(text.slice(at, at + 8));
    const cell = isQuoted ? quoted(text, at, separator) : plain(text, at, separator);
    if (!cell.isClosed) open ??= { row: rows.length + 1, column: row.length + 1 };
    if (row.length < TABLE_COLUMNS_MAX) row.push(clean(cell.text));
    at = cell.end;
    if (text[at] === separator) {
      at++;
      continue;
    }
    rows.push(row);
    row = [];
    if (text[at] === '\r' && text[at + 1] === '\n') at++;
    at++;
  }
  while (rows.length && rows.at(-1)!.every((cell) => cell === '')) rows.pop();
  return { rows, evenness: evennessOf(rows), open };
}

interface CellText {
  readonly text: string;
  readonly end: number;
  readonly isClosed: boolean;
}

function plain(text: string, from: number, separator: Separator): CellText {
  let end = from;
  while (end < text.length && text[end] !== separator && !/[\r\n]/.test(text[end]!)) end++;
  return { text: text.slice(from, end), end, isClosed: true };
}

function quoted(text: string, from: number, separator: Separator): CellText {
  let at = text.indexOf('"', from) + 1;
  let inside = '';
  for (;;) {
    const end = text.indexOf('"', at);
    if (end < 0) return { text: inside, end: text.length, isClosed: false };
    inside += text.slice(at, end);
    if (text[end + 1] !== '"') {
      // What stands behind the closing quote still belongs to the cell: 1/2" pipe.
      const rest = plain(text, end + 1, separator);
      return { text: inside + rest.text, end: rest.end, isClosed: true };
    }
    inside += '"';
    at = end + 2;
  }
}

function clean(text: string): string {
  const plainText = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return plainText.length <= CELL_CHARACTERS_MAX ? plainText : cutText(plainText);
}

function cutText(text: string): string {
  return text.slice(0, CELL_CHARACTERS_MAX).replace(/[\ud800-\udbff]$/, '');
}

function evennessOf(rows: readonly (readonly string[])[]): number {
  const counts = new Map<number, number>();
  for (const { length } of rows) counts.set(length, (counts.get(length) ?? 0) + 1);
  const wide = [...counts].filter(([width]) => width > 1);
  return Math.max(0, ...wide.map(([width, count]) => count + width / 1_000));
}
