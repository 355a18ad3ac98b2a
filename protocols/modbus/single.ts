// One request for its own sake on a lane: a step of a profile, a value to be written, or the
// question who the device is. Each goes ahead of what is polled for a trend; a write ahead of all.
//
// A write that was not answered may have been done all the same: it is told as not answered and
// never sent again. Whether it took effect, its caller reads back.
import { Fault } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { FaultCode } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { DeviceIdentity, Identified, Sent, Urgency, Written } from '../driver.ts';
import { decodeResponse, encodeRequest } from './codec.ts';
import type { Conversation, Lane, Outcome } from './conversation.ts';
import { Ticket } from './conversation.ts';
import { exceptionFaults } from './poll.ts';

type Failure = Exclude<Outcome, 'answered'>;

const qualities: Readonly<Record<Failure, QualityCode>> = {
  exception: qualityCode('bad', 'device_exception'),
  timeout: qualityCode('bad', 'timeout'),
  broken: qualityCode('bad', 'timeout'),
  bad_response: qualityCode('bad', 'bad_response'),
  other_unit: qualityCode('bad', 'bad_response'),
  collision: qualityCode('bad', 'bad_response'),
  no_connection: qualityCode('bad', 'no_connection'),
  cancelled: qualityCode('bad', 'timeout'),
  overload: qualityCode('bad', 'timeout'),
};

const faultCodes = {
  exception: 'modbus_exception_other',
  timeout: 'device_timeout',
  broken: 'modbus_broken_answer',
  bad_response: 'modbus_bad_response',
  other_unit: 'modbus_other_unit',
  collision: 'modbus_collision',
  no_connection: 'no_connection',
  cancelled: 'poll_aborted',
  overload: 'modbus_queue_full',
} as const satisfies Record<Failure, FaultCode>;

/** What carries a request: the owner of the connection sends and keeps its timer. */
export interface Carrier {
  readonly conversation: Conversation;
  nowMs(): number;
  /** Submits in one piece and arms the timer. */
  submit(act: (nowMs: number) => void): void;
}

/**
 * Exceptions after which the device may have done it all the same: it failed on the way (4), it is
 * still at it (5), or a gateway before it heard nothing of it (11). Application Protocol V1.1b3, 7.
 */
const UNSURE_EXCEPTIONS: readonly number[] = [4, 5, 11];

type Done = (ticket: Single, outcome: Outcome, code: number, answer: Uint8Array) => void;

class Single extends Ticket {
  readonly #done: Done;

  constructor(pdu: Uint8Array, how: Asking, done: Done) {
    super(pdu);
    this.urgency = how.urgency ?? null;
    this.mayGo = how.mayGo ?? null;
    this.#done = done;
  }

  override settled(
    outcome: Outcome,
    code: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#done(this, outcome, code, bytes.slice(start, end));
  }
}

interface Asking {
  readonly urgency?: Urgency | undefined;
  readonly mayGo?: (() => boolean) | undefined;
}

export interface Answered extends Sent, Pick<Written, 'sure'> {
  /** Empty unless it was answered. */
  readonly answer: Uint8Array;
  /** Of an exception, else 0. */
  readonly exception: number;
}

export function ask(
  pdu: Uint8Array,
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
  urgency?: Urgency,
  mayGo?: () => boolean,
): Promise<Answered> {
  const { conversation } = carrier;
  return new Promise((resolve) => {
    const done: Done = ({ lineMs, wasSent }, outcome, code, answer) => {
      signal.removeEventListener('abort', abort);
      if (outcome === 'answered') {
        resolve({ quality: GOOD, fault: null, lineMs, answer, exception: 0 });
        return;
      }
      const fault = conversation.closedBy ?? faultOf(pdu, lane, outcome, code);
      const exception = outcome === 'exception' ? code : 0;
      const isRefused = exception > 0 && !UNSURE_EXCEPTIONS.includes(exception);
      const sure = !wasSent ? 'unsent' : isRefused ? 'refused' : null;
      const told = { quality: qualities[outcome], fault, lineMs, answer, exception };
      resolve(sure ? { ...told, sure } : told);
    };
    const ticket = new Single(pdu, { urgency, mayGo }, done);
    const abort = () => carrier.submit((nowMs) => conversation.cancel(ticket, nowMs));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) done(ticket, 'cancelled', 0, new Uint8Array(0));
    else carrier.submit((nowMs) => conversation.submit(lane, ticket, nowMs));
  });
}

function faultOf(pdu: Uint8Array, { options }: Lane, outcome: Failure, code: number): Fault {
  const asked = { unit: options.unit, code: pdu[0]! };
  if (outcome === 'exception') {
    const detail = bilingual('modbus-single-exception', { ...asked, exception: code });
    return new Fault(exceptionFaults[code] ?? faultCodes.exception, retryOf(code), detail);
  }
  const detail =
    outcome === 'other_unit'
      ? bilingual('modbus-single-other', { ...asked, other: code })
      : bilingual('modbus-single', asked);
  return new Fault(faultCodes[outcome], 'later', detail);
}

const retryOf = (exception: number) => (exception <= 3 ? 'never' : 'later');

/** Sends the PDU of a step; resolves with what became of it. */
export async function sendStep(
  pdu: Uint8Array,
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
  urgency?: Urgency,
): Promise<Sent> {
  const { quality, fault, lineMs } = await ask(pdu, lane, carrier, signal, urgency);
  return { quality, fault, lineMs };
}

/** Basic identification is three texts of at most 244 bytes: they come in at most three answers. */
const BASIC_ANSWERS_MAX = 3;
const texts = { vendor: 0, product: 1, revision: 2 } as const;

/** Function 43/14, basic; null when the device does not answer it. */
export async function askIdentity(
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
  urgency?: Urgency,
): Promise<DeviceIdentity | null> {
  const objects = new Map<number, string>();
  const level = { level: 1, from: 0, answersMax: BASIC_ANSWERS_MAX } as const;
  if (await askObjects(level, objects, lane, carrier, signal, urgency)) return null;
  const text = (id: number) => objects.get(id)?.trim() ?? null;
  return {
    vendor: text(texts.vendor),
    product: text(texts.product),
    revision: text(texts.revision),
  };
}

/**
 * Regular identification is seven texts, and up to 121 that nobody defined and none was seen of.
 */
const REGULAR_ANSWERS_MAX = 16;
const REGULAR_FIRST = 3;
/** Basic and nothing more, by the low bits of what the device says it conforms to. */
const CONFORMS_BASIC = 1;

/** Functions 43/14, basic and regular: every object the device tells, by its number. */
export async function identify(
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<Identified> {
  const objects = new Map<number, string>();
  const basic = { level: 1, from: 0, answersMax: BASIC_ANSWERS_MAX } as const;
  const regular = { level: 2, from: REGULAR_FIRST, answersMax: REGULAR_ANSWERS_MAX } as const;
  const conformity = { value: 0 };
  const fault = await askObjects(basic, objects, lane, carrier, signal, undefined, conformity);
  if (fault) return { objects, fault };
  if ((conformity.value & 0x7f) === CONFORMS_BASIC) return { objects, fault: null };
  // A device that knows the basic ones only refuses the others: then these are all.
  const refused = await askObjects(regular, objects, lane, carrier, signal);
  return { objects, fault: refused?.retry === 'never' ? null : refused };
}

interface Objects {
  readonly level: 1 | 2;
  readonly from: number;
  readonly answersMax: number;
}

/** Follows "more follows" as long as it leads on; the fault that ended it, or null. */
async function askObjects(
  { level, from, answersMax }: Objects,
  objects: Map<number, string>,
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
  urgency?: Urgency,
  conformity = { value: 0 },
): Promise<Fault | null> {
  let next: number | null = from;
  for (let count = 0; next !== null && count < answersMax; count++) {
    const asked: number = next;
    const pdu = encodeRequest({ function: 43, level, object: asked });
    const { answer, fault } = await ask(pdu, lane, carrier, signal, urgency);
    if (fault) return fault;
    const response = decodeResponse(pdu, answer, 0, answer.length);
    if (response?.kind !== 'identification') return null;
    conformity.value = response.conformity;
    for (const [id, text] of response.objects) objects.set(id, text);
    // A device that leads back would lead in circles.
    next = response.next !== null && response.next > asked ? response.next : null;
  }
  return null;
}
