// PDUs in both directions, whatever bytes come: a request is understood within its limits or owed an
// exception, an answer fits what was asked or is none.
import assert from 'node:assert/strict';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import type { Draw } from '../../tests/fuzz/draw.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import type { Request } from './codec.ts';
import {
  ANSWERED,
  answerPduBytes,
  BITS_READ_MAX,
  BITS_WRITE_MAX,
  checkResponse,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  MALFORMED,
  PDU_BYTES_MAX,
  REGISTERS_READ_MAX,
  REGISTERS_WRITE_MAX,
} from './codec.ts';

const words = (count: number) => Uint16Array.from({ length: count }, (_, at) => at * 257);
const bits = (count: number) => Uint8Array.from({ length: count }, (_, at) => at & 1);

/** One of each function, small and at its limits. */
export const requests: readonly Request[] = [
  ...([1, 2] as const).flatMap((code) =>
    [1, 9, 2_000].map((count): Request => ({ function: code, address: 0x6b, count })),
  ),
  ...([3, 4] as const).flatMap((code) =>
    [1, 3, 125].map((count): Request => ({ function: code, address: 0x6b, count })),
  ),
  { function: 5, address: 1, on: true },
  { function: 6, address: 1, value: 3 },
  { function: 15, address: 0x13, bits: bits(10) },
  { function: 15, address: 0, bits: bits(BITS_WRITE_MAX) },
  { function: 16, address: 1, registers: Uint16Array.of(10, 0x102) },
  { function: 16, address: 0, registers: words(REGISTERS_WRITE_MAX) },
  { function: 22, address: 4, andMask: 0xf2, orMask: 0x25 },
  { function: 23, address: 3, count: 6, writeAddress: 14, registers: words(3) },
  { function: 23, address: 0, count: 125, writeAddress: 0, registers: words(121) },
  ...([1, 2, 3, 4] as const).map((level): Request => ({ function: 43, level, object: 0 })),
];
export const requestPdus = requests.map(encodeRequest);

const ramp = words(0x10000);
const ones = Uint16Array.from({ length: 0x10000 }, (_, at) => at & 1);

/** Every register there is, and an identification that takes several answers. */
export const bank: RegisterBank = {
  read: (table, from, count) =>
    (table === 'coil' || table === 'discrete' ? ones : ramp).subarray(from, from + count),
  write: (_table, address) => (address === 0xdead ? 2 : 0),
  identification: new Map(
    [0, 1, 2, 3, 5, 0x80, 0x90].map((id) => [id, `object ${id} `.repeat(9)] as const),
  ),
};

export const answerPdus = requestPdus.map((pdu) => answerRequest(bank, pdu, 0, pdu.length));

/** As if it lay in the buffer of a stream: other bytes before and behind. */
function placed(draw: Draw, pdu: Uint8Array): [bytes: Uint8Array, start: number, end: number] {
  const start = draw.integer(0, 9);
  const bytes = new Uint8Array(start + pdu.length + 9).fill(draw.byte());
  bytes.set(pdu, start);
  return [bytes, start, start + pdu.length];
}

function checkQuantities(request: Request): void {
  const { function: code } = request;
  if ('count' in request) {
    assert(request.count >= 1);
    assert(request.count <= (code <= 2 ? BITS_READ_MAX : REGISTERS_READ_MAX));
    assert(request.address + request.count <= 0x10000);
  }
  if ('registers' in request) assert(request.registers.length <= REGISTERS_WRITE_MAX);
  if ('bits' in request) assert(request.bits.length <= BITS_WRITE_MAX);
}

const request: FuzzTarget = {
  name: 'modbus-request',
  about: 'request PDUs, and what a simulated device answers to them',
  swallow: (draw) => {
    const asked = draw.mutated(requestPdus);
    if (asked.length === 0) return; // Every framing has a function at least.
    const [bytes, start, end] = placed(draw, asked);
    const decoded = decodeRequest(bytes, start, end);
    const answer = answerRequest(bank, bytes, start, end);
    assert(answer.length <= PDU_BYTES_MAX);
    if (typeof decoded === 'number') {
      assert(decoded >= 1 && decoded <= 3);
      assert.deepEqual([...answer], [asked[0]! | 0x80, decoded]);
      return;
    }
    checkQuantities(decoded);
    const again = encodeRequest(decoded);
    assert.equal(again.length, end - start);
    assert.deepEqual(decodeRequest(again, 0, again.length), decoded);
    assert.notEqual(checkResponse(again, answer, 0, answer.length), MALFORMED);
  },
};

const response: FuzzTarget = {
  name: 'modbus-response',
  about: 'answer PDUs against what was asked',
  swallow: (draw) => {
    const at = draw.integer(0, requestPdus.length - 1);
    const asked = requestPdus[at]!;
    const near = draw.oneIn(3) ? answerPdus : [answerPdus[at]!];
    const [bytes, start, end] = placed(draw, draw.mutated(near));
    const verdict = checkResponse(asked, bytes, start, end);
    assert(verdict >= MALFORMED && verdict <= 255);
    const decoded = decodeResponse(asked, bytes, start, end);
    assert.equal(decoded === undefined, verdict === MALFORMED);
    if (verdict === ANSWERED) assert(end - start <= answerPduBytes(asked));
    const { count = 0 } = requests[at] as { readonly count?: number };
    if (decoded?.kind === 'bits') assert.equal(decoded.bits.length, count);
    if (decoded?.kind === 'registers') assert.equal(decoded.registers.length, count);
    if (decoded?.kind === 'identification') {
      let size = 0;
      for (const text of decoded.objects.values()) size += text.length;
      assert(size <= PDU_BYTES_MAX && decoded.objects.size <= PDU_BYTES_MAX / 2);
    }
  },
};

export const codecTargets: readonly FuzzTarget[] = [request, response];
