// The wire of simulated lines, whatever comes and however it is cut: the same records, or the same
// refusal after the same records.
import assert from 'node:assert/strict';
import { isFault } from '../core/fault.ts';
import { joined } from '../tests/fuzz/draw.ts';
import type { FuzzTarget } from '../tests/fuzz/target.ts';
import { lineSettings } from './line-settings.ts';
import type { LineRecord } from './line-wire.ts';
import { encodeLineRecord, LineRecordReader, PAYLOAD_BYTES_MAX } from './line-wire.ts';

const golden = (
  [
    { kind: 'settings', settings: lineSettings('9600-8N1')! },
    { kind: 'settings', settings: lineSettings('921600-7E2')! },
    { kind: 'data', bytes: Uint8Array.of(1, 3, 0, 0, 0, 10, 0xc5, 0xcd) },
    { kind: 'data', bytes: new Uint8Array(300) },
    { kind: 'break', ms: 20 },
    { kind: 'errors', errors: { parity: 1, framing: 0xffff_ffff, overrun: 0, break: 7 } },
  ] satisfies LineRecord[]
).map(encodeLineRecord);

function read(pieces: readonly Uint8Array[]): { records: LineRecord[]; isRefused: boolean } {
  const reader = new LineRecordReader();
  const records: LineRecord[] = [];
  try {
    for (const piece of pieces) reader.push(piece, (record) => records.push(record));
  } catch (error) {
    if (!isFault(error) || error.code !== 'line_wire') throw error;
    return { records, isRefused: true };
  }
  return { records, isRefused: false };
}

export const lineWire: FuzzTarget = {
  name: 'line-wire',
  about: 'the wire of simulated lines',
  swallow: (draw) => {
    const stream = draw.stream(golden, 5);
    const whole = read([stream]);
    assert.deepEqual(read(draw.pieces(stream)), whole);
    for (const record of whole.records) {
      if (record.kind === 'data') assert(record.bytes.length <= PAYLOAD_BYTES_MAX);
    }
    const again = read([joined(whole.records.map(encodeLineRecord))]);
    assert.deepEqual(again, { records: whole.records, isRefused: false });
  },
};
