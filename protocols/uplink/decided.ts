// The document of `desired`: what people decided about the rules of a gateway's points, against
// what the gateway itself proposes. The rest of the rules in force are its own proposals, which it
// has; so both sides know all of them by this document alone, and its hash stands for them.
//
// Texts are left out: the edge shows none of them. So are rules of kind `deviation`, whose baseline
// of a week is the cloud's. Equal decisions give equal bytes.
import type { Rule, RuleProposal } from '../../core/alarm/rule.ts';
import { isId } from '../../core/point.ts';
import { hashOfBytes } from './dictionary.ts';
import { malformed, ProtoReader, ProtoWriter } from './proto.ts';
import { readRule, writeRule } from './rule-wire.ts';
import { ID_BYTES_MAX } from './wire-words.ts';

/** A gateway has 10,000 points at most, and people decide about few of them. */
export const DECIDED_MAX = 2_000;

export interface Decided {
  readonly device: string;
  readonly point: string;
  /** Of the rule. */
  readonly id: string;
  /** Null: it is not in force, whatever is proposed. */
  readonly rule: RuleProposal | null;
}

export function encodeDecided(list: readonly Decided[]): Uint8Array {
  const writer = new ProtoWriter();
  const nameOf = ({ device, point, id }: Decided) => `${device}/${point}/${id}`;
  const sorted = [...list].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  for (const { device, point, id, rule } of sorted.slice(0, DECIDED_MAX)) {
    const mark = writer.open(1);
    writer.text(1, device);
    writer.text(2, point);
    writer.text(3, id);
    if (rule) writeRule(writer, 4, rule);
    writer.close(mark);
  }
  return writer.finish();
}

/** The hash of a document without decisions. */
export const NOTHING_DECIDED = hashOfBytes(encodeDecided([]));

/** Throws Fault `uplink_malformed`. A rule of a kind that this reader does not know is left out. */
export function decodeDecided(bytes: Uint8Array): Decided[] {
  const reader = new ProtoReader(bytes);
  const list: Decided[] = [];
  while (reader.next()) {
    if (reader.field !== 1) reader.skip();
    else if (list.length >= DECIDED_MAX) throw malformed(`more than ${DECIDED_MAX} decisions`);
    else {
      const decided = readDecided(reader.message());
      if (decided) list.push(decided);
    }
  }
  return list;
}

function readDecided(reader: ProtoReader): Decided | null {
  const name = { device: '', point: '', id: '' };
  let rule: RuleProposal | null = null;
  let isUnknown = false;
  while (reader.next()) {
    if (reader.field === 1) name.device = reader.text(ID_BYTES_MAX);
    else if (reader.field === 2) name.point = reader.text(ID_BYTES_MAX);
    else if (reader.field === 3) name.id = reader.text(ID_BYTES_MAX);
    else if (reader.field === 4) {
      rule = readRule(reader.message());
      isUnknown = rule === null;
    } else reader.skip();
  }
  if (![name.device, name.point, name.id].every(isId)) throw malformed('a decision without a rule');
  return isUnknown ? null : { ...name, rule };
}

/** As the edge needs it: without texts. Null for a kind that only the cloud evaluates. */
export function bare(rule: Rule): RuleProposal | null {
  if (rule.kind === 'deviation') return null;
  const { cause: _, consequence: __, basis: ___, ...rest } = rule;
  return { ...rest, title: { en: '', zh: '' }, action: null };
}
