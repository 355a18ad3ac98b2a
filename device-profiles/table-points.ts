// Rows of a register table -> points of a profile. What a cell says is taken; what it leaves out is
// guessed and remarked; what nobody can know (how addresses count) is asked for; what contradicts
// itself is an error at its cell. Rows without an address (captions, page heads, the rest of a name
// that was broken over two lines) are left out and named.
import { Problems } from '../core/problems.ts';
import { bilingual, say } from '../core/text/text.ts';
import type { UnitCode } from '../core/units.ts';
import type { ModbusAddress, Table, WordOrder } from '../protocols/modbus/address.ts';
import { parseAddress } from '../protocols/modbus/address.ts';
import type { LimitName } from './defaults.ts';
import { POINTS_MAX } from './format.ts';
import type { Columns } from './headings.ts';
import { isHexHeading } from './headings.ts';
import type { Base, ManualAddress } from './manual-address.ts';
import { isPlainHex, manualAddress, wireAddress } from './manual-address.ts';
import { wholeLimitsOf } from './raw-values.ts';
import type { RegisterTable } from './register-table.ts';
import type { RowType } from './row-values.ts';
import { alarmsOf, rangeOf, scalingOf, statesIn, typeIn } from './row-values.ts';
import { isWriteOnly, plainText, tableOf } from './spellings.ts';
import type { TableFindings } from './table-findings.ts';
import { Row } from './table-row.ts';
import type { Named } from './titles.ts';
import { namesOf } from './titles.ts';

export interface TablePoint extends Named {
  /** Counted from 1, as the cells below. */
  readonly row: number;
  /** The address as the manual writes it. */
  readonly manual: string;
  readonly address: ModbusAddress;
  /** Null: as the type has it by itself. */
  readonly order: WordOrder | null;
  readonly scale: number;
  readonly offset: number;
  readonly unit: UnitCode;
  readonly range: readonly [number, number] | null;
  readonly states: ReadonlyMap<number, string> | null;
  readonly alarms: readonly { readonly name: LimitName; readonly raise: number }[];
  /** What else the row says, for whoever checks it. */
  readonly notes: readonly string[];
}

export interface TableOptions {
  readonly base: Base | null;
  /** Where no column and no notation says it. */
  readonly table: Table | null;
}

/** The points of a table; what is wrong or guessed goes to `findings`. */
export function pointsOf(
  { rows }: RegisterTable,
  { byRole, headingRow }: Columns,
  options: TableOptions,
  findings: TableFindings,
): readonly TablePoint[] {
  const headings = rows[headingRow - 1] ?? [];
  const body = rows
    .map((cells, at) => new Row(at + 1, cells, byRole, findings))
    .slice(headingRow)
    .filter((row) => row.filled > 0);
  const kept = body.filter((row) => isPoint(row, headings));
  const isHex = isHexColumn(kept, headings[(byRole.get('address') ?? 1) - 1] ?? '');
  const base = options.base ?? baseFrom(kept, isHex);
  const context: Context = {
    ...{ base: base ?? 0, isBaseKnown: base !== null, isHex, table: options.table },
    ...{ ids: new Set(), seen: new Map(), last: null },
  };
  const points = kept.flatMap((row) => pointOf(row, context) ?? []);
  const [beyond] = points.slice(POINTS_MAX);
  if (beyond) {
    findings.error({ row: beyond.row, column: 1 }, 'table-too-many', { max: POINTS_MAX });
  }
  return points;
}

const reserved = /^(reserved?|spare|unused|not used|保留|备用|预留|未用|空)$/i;

function isPoint(row: Row, headings: readonly string[]): boolean {
  const leave = (why: 'heading' | 'caption' | 'reserved' | 'write-only'): false => {
    row.findings.remark(row.at('address'), `table-row-${why}`, {});
    return false;
  };
  if (row.isSameAs(headings)) return leave('heading');
  if (row.filled === 1) return leave('caption');
  const isBitOfLast = row.text('address') === '' && row.text('bit') !== '';
  if (row.text('address') === '' && !isBitOfLast) return leave('caption');
  const names = (['name', 'nameEn', 'nameZh', 'remark'] as const).map((role) => row.text(role));
  if (names.some((name) => reserved.test(plainText(name)))) return leave('reserved');
  const isWritten = row.text('table') !== '' && tableOf(row.text('table')) === 'write-only';
  if (isWriteOnly(row.text('access')) || isWritten) return leave('write-only');
  return true;
}

function isHexColumn(rows: readonly Row[], heading: string): boolean {
  if (isHexHeading(heading)) return true;
  // 000A tells it, where all have the same four digits; a lone "face" is a mistake.
  const texts = rows.map((row) => row.text('address')).filter(Boolean);
  const sign = rows.find((row) => isPlainHex(row.text('address')));
  if (!sign || !texts.every((text) => /^[0-9a-f]{4}$/i.test(text))) return false;
  sign.findings.remark(sign.at('address'), 'table-hex-guessed', { found: sign.text('address') });
  return true;
}

/** The base where the table itself leaves no doubt: a register 0, or the notation 4x0001. */
function baseFrom(rows: readonly Row[], isHex: boolean): Base | null {
  const read = rows.flatMap((row) => {
    const manual = manualAddress(row.text('address'), isHex);
    return manual ? [{ row, manual }] : [];
  });
  const [first] = read;
  if (!first) return null;
  if (read.every(({ manual }) => manual.isMarked)) return 40001;
  const zero = read.find(({ manual }) => manual.number === 0 && !manual.isMarked);
  if (zero) {
    const found = zero.row.text('address');
    zero.row.findings.remark(zero.row.at('address'), 'table-base-known', { found });
    return 0;
  }
  const { row, manual } = first;
  const found = row.text('address');
  const said = ([0, 1, 40001] as const).flatMap((base) => {
    const wire = wireAddress(manual, base);
    return wire ? `--base ${base}: ${wire.table ?? ''} ${wire.address}`.replace(':  ', ': ') : [];
  });
  const help = {
    en: say('en', 'help-table-base', { found, list: said.join('; ') }),
    zh: say('zh', 'help-table-base', { found, list: said.join('；') }),
  };
  row.findings.error(row.at('address'), 'table-base-needed', { found }, help);
  return null;
}

interface Context {
  readonly base: Base;
  readonly isBaseKnown: boolean;
  readonly isHex: boolean;
  readonly table: Table | null;
  readonly ids: Set<string>;
  /** Register (and bit) -> row. */
  readonly seen: Map<string, number>;
  /** The address of the row before, for the bits below it. */
  last: string | null;
}

interface Where {
  readonly table: Table;
  readonly address: number;
  readonly manual: ManualAddress;
  readonly text: string;
}

function whereOf(row: Row, context: Context): Where | undefined {
  const text = row.text('address') || (context.last ?? '');
  if (row.text('address')) context.last = text;
  const manual = manualAddress(text, context.isHex);
  const at = row.at('address');
  if (!manual) {
    const help = bilingual('help-table-address');
    row.findings.error(at, 'table-address-bad', { found: text }, help);
    return undefined;
  }
  if (!context.isBaseKnown) return { table: 'holding', address: 0, manual, text };
  const wire = wireAddress(manual, context.base);
  if (!wire) {
    row.findings.error(at, 'table-address-base', { found: text, base: context.base });
    return undefined;
  }
  const told = row.text('table');
  const named = told ? tableOf(told) : undefined;
  if (told && named === undefined) {
    row.findings.remark(row.at('table'), 'table-table-unknown', { found: told });
  }
  const said = named === 'write-only' ? undefined : named;
  if (wire.table && said && wire.table !== said) {
    const values = { found: told, address: text, table: wire.table };
    row.findings.remark(row.at('table'), 'table-table-differs', values);
  }
  const table = wire.table ?? said ?? context.table;
  if (table === null) row.findings.remark(at, 'table-table-guessed', {});
  return { table: table ?? 'holding', address: wire.address, manual, text };
}

const flag: RowType = { type: 'bool', order: null, length: null };

function pointOf(row: Row, context: Context): TablePoint | undefined {
  const where = whereOf(row, context);
  if (!where) {
    typeIn(row, 1); // What else is wrong with the row is told at once.
    return undefined;
  }
  const { table, address: start, manual, text } = where;
  const bit = bitOf(row, manual);
  const isOne = table === 'coil' || table === 'discrete';
  const found = isOne || bit !== null ? flag : typeIn(row, manual.count);
  if (!found) return undefined;
  const isFlag = found.type === 'bool';
  if (isFlag && !isOne && bit === null)
    row.findings.remark(row.at('type'), 'table-bool-no-bit', {});
  const problems = new Problems('');
  const address = parseAddress(
    {
      ...{ table, address: start, type: isFlag ? 'bool' : found.type },
      ...(bit !== null && !isOne ? { bit } : {}),
      ...(found.order && !isFlag && found.type !== 'string' ? { order: found.order } : {}),
      ...(found.length && !isFlag ? { length: found.length } : {}),
    },
    [],
    problems,
  );
  for (const finding of problems.findings) row.findings.refuse(row.at('address'), finding);
  if (!address) return undefined;
  if (context.isBaseKnown && isTaken(row, address, text, context)) return undefined;
  const isNumber = wholeLimitsOf(address) !== null || address.type.startsWith('float');
  const scaling = scalingOf(row, isNumber);
  const states = isFlag || isNumber ? statesIn(row, scaling) : null;
  const range = isNumber && !states ? rangeOf(row, address, scaling) : null;
  const named = namesOf(row, text, context.ids, scaling.name);
  if (!scaling.isRead || range === undefined) return undefined;
  const alarms = isNumber ? alarmsOf(row, scaling.factor) : [];
  const { scale, offset, unit } = scaling;
  return {
    ...named,
    ...{ row: row.number, manual: text, address, order: isFlag ? null : found.order },
    ...{ scale, offset, unit, states, alarms },
    range: range?.kept ?? null,
    notes: [...scaling.notes, ...(range?.notes ?? []), states ? '' : row.text('remark')].filter(
      Boolean,
    ),
  };
}

function bitOf(row: Row, manual: ManualAddress): number | null {
  const text = plainText(row.text('bit'));
  if (text === '') return manual.bit;
  const found = /^(?:bit|b|d|位|第)?\s*(\d{1,2})\s*位?$/i.exec(text);
  if (found && Number(found[1]) <= 31) return Number(found[1]);
  row.findings.error(row.at('bit'), 'table-bit-bad', { found: text });
  return manual.bit;
}

function isTaken(row: Row, address: ModbusAddress, text: string, { seen }: Context): boolean {
  const key = `${address.table} ${address.address} ${address.bit ?? ''}`;
  const first = seen.get(key);
  if (first === undefined) {
    seen.set(key, row.number);
    return false;
  }
  row.findings.error(row.at('address'), 'table-address-twice', { found: text, first });
  return true;
}
