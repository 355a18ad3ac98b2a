// The device's side of a wire, for tests: requests in any framing to PDUs, and PDUs back to frames.
import { expect } from 'vitest';
import type { Framing } from './address.ts';
import { AsciiDeframer, encodeAsciiFrame } from './ascii-frames.ts';
import type { LineDeframer } from './line-frames.ts';
import { encodeRtuFrame, RtuDeframer, requestLength } from './rtu-frames.ts';
import { Deframer, encodeFrame } from './tcp-frames.ts';

/** The answer's PDU, or null for silence. */
export type Respond = (pdu: Uint8Array, unit: number) => Uint8Array | null;

/** A device that has just been connected: takes what is sent, gives the frames it answers. */
export function devicesSide(
  framing: Framing,
): (sent: Uint8Array, respond: Respond) => Uint8Array[] {
  const tcp = new Deframer();
  const line: LineDeframer =
    framing === 'ascii' ? new AsciiDeframer() : new RtuDeframer(requestLength);
  const encode = framing === 'ascii' ? encodeAsciiFrame : encodeRtuFrame;
  const garbage = () => expect.unreachable('the driver sends frames only');
  return (sent, respond) => {
    const answers: Uint8Array[] = [];
    if (framing === 'tcp') {
      tcp.push(sent, {
        frame: (transaction, unit, bytes, start, end) => {
          const pdu = respond(bytes.slice(start, end), unit);
          if (pdu) answers.push(encodeFrame(transaction, unit, pdu));
        },
        garbage,
      });
    } else {
      line.push(sent, {
        frame: (unit, bytes, start, end) => {
          const pdu = respond(bytes.slice(start, end), unit);
          if (pdu) answers.push(encode(unit, pdu));
        },
        garbage,
      });
    }
    return answers;
  };
}
