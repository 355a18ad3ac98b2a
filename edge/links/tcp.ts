// A link over a TCP connection. It carries bytes both ways and reports its end once; what the bytes
// mean is the driver's business, and when to open it again the loop's.
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { assert, Fault, systemDetail } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Link, Pace } from '../../protocols/driver.ts';

export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  /** Of the serial line behind it, if there is one. */
  readonly pace?: Pace | null;
}

/** Where a socket leads: a TCP port, or a Unix socket of this machine. */
export type SocketPlace =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/**
 * Requests that wait in the socket because the device stopped reading: 247 units with 16 requests
 * of 12 bytes each are 47 KB. Beyond it the link is closed as stalled, and everything asked is
 * settled.
 */
export const SEND_BYTES_MAX = 64 * 1024;
assert(247 * 16 * 12 < SEND_BYTES_MAX, 'a full bus behind one socket fits');

/**
 * Read at once: more than sixteen full answers of Modbus TCP (260 bytes each), so that what came
 * together is seen together. What is more is read in further pieces.
 */
const READ_BYTES = 8 * 1024;
assert(16 * 260 < READ_BYTES, 'a full window of answers is read at once');

/** A peer that lost its power says nothing; the probes of the kernel notice it without traffic. */
export const KEEPALIVE_AFTER_MS = 10_000;

/** Rejects with a fault that may be tried again later; `signal` ends the attempt at once. */
export async function openTcpLink(
  clock: Clock,
  target: TcpTarget,
  signal: AbortSignal,
): Promise<Link> {
  const { host, port, connectTimeoutMs, pace = null } = target;
  const name = `${host}:${port}`;
  const socket = await openSocket(clock, { host, port }, name, connectTimeoutMs, signal);
  return linkOver(socket, name, pace);
}

/**
 * As openTcpLink; `name` is how messages call the other end. The bytes of the socket's `data` are
 * valid only during the call.
 */
export function openSocket(
  clock: Clock,
  place: SocketPlace,
  name: string,
  connectTimeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // One buffer for all that is read: left alone, the runtime makes one of 64 KB for each read.
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (bytes: number, into: Uint8Array) => {
        socket.emit('data', into.subarray(0, bytes));
        return true;
      },
    };
    const socket = connect({ ...place, noDelay: true, onread });
    const settle = () => {
      cancelTimeout();
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      socket.off('connect', onConnect);
    };
    const fail = (fault: Fault) => {
      settle();
      socket.on('error', () => socket.destroy()); // What still comes after is about a dead attempt.
      socket.destroy();
      reject(fault);
    };
    const onError = (error: NodeJS.ErrnoException) => fail(openFault(name, error));
    const onAbort = () =>
      fail(new Fault('link_closed', 'never', bilingual('link-told-to-stop', { name })));
    const onConnect = () => {
      settle();
      socket.setKeepAlive(true, KEEPALIVE_AFTER_MS);
      resolve(socket);
    };
    const cancelTimeout = clock.after(connectTimeoutMs, () =>
      fail(
        new Fault(
          'link_timeout',
          'later',
          bilingual('link-no-answer', { name, ms: connectTimeoutMs }),
        ),
      ),
    );
    socket.once('error', onError);
    socket.once('connect', onConnect);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** The link of a connected socket. `end` on it closes from outside, with the reason. */
export function linkOver(socket: Socket, name: string, pace: Pace | null): EndableLink {
  let isOpen = true;
  const end = (why: Fault | null) => {
    if (!isOpen) return;
    isOpen = false;
    socket.destroy();
    link.onClose(why);
  };
  const link: EndableLink = {
    ...(pace ? { pace } : {}),
    send: (bytes) => {
      if (!isOpen) return;
      if (socket.writableLength + bytes.length > SEND_BYTES_MAX) {
        const detail = bilingual('link-unread', { name, bytes: socket.writableLength });
        end(new Fault('link_stalled', 'later', detail));
        return;
      }
      socket.write(bytes);
    },
    onBytes: () => {},
    onClose: () => {},
    close: () => end(null),
    end,
  };
  socket.on('data', (bytes) => {
    if (isOpen) link.onBytes(bytes);
  });
  socket.on('error', (error) => end(new Fault('link_lost', 'later', systemDetail(name, error))));
  socket.on('close', () =>
    end(new Fault('link_lost', 'later', bilingual('link-closed-there', { name }))),
  );
  return link;
}

/** A link whose end somebody else may decide. */
export interface EndableLink extends Link {
  end(why: Fault | null): void;
}

function openFault(name: string, error: NodeJS.ErrnoException): Fault {
  const said = systemDetail(name, error);
  switch (error.code) {
    case 'ECONNREFUSED':
    case 'ENOENT': // A Unix socket that nobody made.
      return new Fault('link_refused', 'later', said, error);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Fault('link_unknown_host', 'later', said, error);
    case 'ETIMEDOUT':
      return new Fault('link_timeout', 'later', said, error);
    default:
      return new Fault('link_unreachable', 'later', said, error);
  }
}
