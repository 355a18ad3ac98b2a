// One request for its own sake on a lane: a step of a profile, or the question who the device is.
import { Fault } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { DeviceIdentity, Sent } from '../driver.ts';
import { decodeResponse, encodeRequest } from './codec.ts';
import type { Lane, Outcome, Transactions } from './session.ts';
import { Ticket } from './session.ts';

const qualities: Readonly<Record<Exclude<Outcome, 'answered'>, QualityCode>> = {
  exception: qualityCode('bad', 'device_exception'),
  timeout: qualityCode('bad', 'timeout'),
  bad_response: qualityCode('bad', 'bad_response'),
  no_connection: qualityCode('bad', 'no_connection'),
  cancelled: qualityCode('bad', 'timeout'),
  overload: qualityCode('bad', 'timeout'),
};

const faultCodes = {
  exception: 'modbus_exception_other',
  timeout: 'device_timeout',
  bad_response: 'modbus_bad_response',
  no_connection: 'no_connection',
  cancelled: 'poll_aborted',
  overload: 'modbus_queue_full',
} as const satisfies Record<Exclude<Outcome, 'answered'>, string>;

/** What carries a request: the owner of the connection sends and keeps its timer. */
export interface Carrier {
  readonly transactions: Transactions;
  nowMs(): number;
  /** Submits in one piece and arms the timer. */
  submit(act: (nowMs: number) => void): void;
}

class Single extends Ticket {
  readonly #done: (outcome: Outcome, code: number, answer: Uint8Array) => void;

  constructor(pdu: Uint8Array, done: (outcome: Outcome, code: number, answer: Uint8Array) => void) {
    super(pdu);
    this.#done = done;
  }

  override settled(
    outcome: Outcome,
    code: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#done(outcome, code, bytes.slice(start, end));
  }
}

interface Answered extends Sent {
  /** Empty unless it was answered. */
  readonly answer: Uint8Array;
}

function ask(
  pdu: Uint8Array,
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<Answered> {
  const startedMs = carrier.nowMs();
  return new Promise((resolve) => {
    const ticket = new Single(pdu, (outcome, code, answer) => {
      signal.removeEventListener('abort', abort);
      const lineMs = carrier.nowMs() - startedMs;
      if (outcome === 'answered') {
        resolve({ quality: GOOD, fault: null, lineMs, answer });
        return;
      }
      const what = outcome === 'exception' ? `exception ${code}` : outcome;
      const detail = `unit ${lane.options.unit}: ${what} to function ${pdu[0]}`;
      const fault = new Fault(faultCodes[outcome], 'later', detail);
      resolve({ quality: qualities[outcome], fault, lineMs, answer });
    });
    const abort = () => carrier.submit((nowMs) => carrier.transactions.cancel(ticket, nowMs));
    signal.addEventListener('abort', abort, { once: true });
    carrier.submit((nowMs) => carrier.transactions.submit(lane, ticket, nowMs));
    if (signal.aborted) abort();
  });
}

/** Sends the PDU of a step; resolves with what became of it. */
export async function sendStep(
  pdu: Uint8Array,
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<Sent> {
  const { quality, fault, lineMs } = await ask(pdu, lane, carrier, signal);
  return { quality, fault, lineMs };
}

/** Basic identification is three texts of at most 244 bytes: they come in at most three answers. */
const ANSWERS_MAX = 3;
const texts = { vendor: 0, product: 1, revision: 2 } as const;

/** Function 43/14, basic; null when the device does not answer it. */
export async function askIdentity(
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<DeviceIdentity | null> {
  const objects = new Map<number, string>();
  let next: number | null = 0;
  for (let count = 0; next !== null && count < ANSWERS_MAX; count++) {
    const pdu: Uint8Array = encodeRequest({ function: 43, level: 1, object: next });
    const { answer, quality } = await ask(pdu, lane, carrier, signal);
    const response = quality === GOOD ? decodeResponse(pdu, answer, 0, answer.length) : undefined;
    if (response?.kind !== 'identification') return null;
    for (const [id, text] of response.objects) objects.set(id, text);
    next = response.next;
  }
  const text = (id: number) => objects.get(id)?.trim() ?? null;
  return {
    vendor: text(texts.vendor),
    product: text(texts.product),
    revision: text(texts.revision),
  };
}
