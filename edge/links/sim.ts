// A link over a simulated serial line (protocols/line-wire.ts says how the two talk): settings
// first, then characters both ways. What the line counts as wrong is kept for metrics, as a real
// port's counters would be.
import type { Clock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import type { Link } from '../../protocols/driver.ts';
import type { LineSettings } from '../../protocols/line-settings.ts';
import { paceOf } from '../../protocols/line-settings.ts';
import type { LineErrors } from '../../protocols/line-wire.ts';
import { encodeLineRecord, LineRecordReader } from '../../protocols/line-wire.ts';
import type { SocketPlace } from './tcp.ts';
import { linkOver, openSocket } from './tcp.ts';

export interface SimTarget {
  readonly place: SocketPlace;
  readonly settings: LineSettings;
  /** Since this link was opened. */
  onErrors(errors: LineErrors): void;
}

/** It is on this machine: what does not answer at once is not there. */
const CONNECT_TIMEOUT_MS = 3000;

export async function openSimLink(
  clock: Clock,
  { place, settings, onErrors }: SimTarget,
  signal: AbortSignal,
): Promise<Link> {
  const name = 'path' in place ? place.path : `${place.host}:${place.port}`;
  const socket = await openSocket(clock, place, name, CONNECT_TIMEOUT_MS, signal);
  const records = linkOver(socket, name, null);
  records.send(encodeLineRecord({ kind: 'settings', settings }));
  const reader = new LineRecordReader();
  const link: Link = {
    pace: paceOf(settings),
    send: (bytes) => records.send(encodeLineRecord({ kind: 'data', bytes })),
    onBytes: () => {},
    onClose: () => {},
    close: () => records.close(),
  };
  records.onClose = (why) => link.onClose(why);
  records.onBytes = (bytes) => {
    try {
      reader.push(bytes, (record) => {
        if (record.kind === 'data') link.onBytes(record.bytes);
        else if (record.kind === 'errors') onErrors(record.errors);
      });
    } catch (error) {
      if (!isFault(error)) throw error;
      records.end(error);
    }
  };
  return link;
}
