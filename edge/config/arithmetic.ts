// Whether a link can carry what is asked of it. A bus that cannot keep its periods misses polls for
// ever; better said here, with the sum, than found out in the field.
//
// The sum is that of the driver's own plans: how many requests, how long each takes the line at its
// speed, with the time a device takes to answer. Beyond all of the time it is a mistake; beyond
// LOAD_SAFE it is a warning, because what is left is what repeats and sick devices live on. A
// single request is not interrupted: one that takes longer than TOLERANCE of a period delays that
// period.
import type { Clock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import type { Problems } from '../../core/problems.ts';
import type { Link, Pace } from '../../protocols/driver.ts';
import { Attendance } from '../collect/attendance.ts';
import type { CollectedDevice } from '../collect/device.ts';
import { TOLERANCE } from '../collect/turns.ts';
import type { LinkSource } from './format.ts';
import { answerMsOf, inFlightOf, lineOf, paceOfLink, protocolOf } from './link.ts';

/** Up to here devices that are well keep their periods beside sick ones (edge/collect/turns.ts). */
export const LOAD_SAFE = 0.6;

// A plan is made, and nothing is sent: the link carries nothing and the time stands still.
const stillClock: Clock = {
  wallMs: () => 0,
  monoMs: () => 0,
  sleep: () => Promise.resolve(),
  after: () => () => {},
  afterPrecisely: () => () => {},
};

function stillLink(pace: Pace | undefined, answerMs: number): Link {
  return {
    ...(pace ? { pace } : {}),
    answerMs,
    send: () => {},
    onBytes: () => {},
    onClose: () => {},
    close: () => {},
  };
}

/** One group of a device on a line. */
interface Load {
  readonly device: string;
  readonly periodMs: number;
  readonly requests: number;
  readonly lineMs: number;
}

function loadsOn(link: LinkSource, devices: readonly CollectedDevice[]): Load[] {
  const line = stillLink(paceOfLink(link), answerMsOf(link));
  const session = protocolOf(link).open(stillClock, line, lineOf(link));
  const loads = devices.flatMap((device) => {
    const attendance = new Attendance(stillClock, silentLog, device);
    const handle = attendance.attend(session.device(device.options));
    return device.groups.map(({ addresses, periodMs }): Load => {
      const { requests, lineMs } = handle.plan(addresses);
      return { device: device.id, periodMs, requests, lineMs };
    });
  });
  session.close();
  return loads;
}

/** Adds what is wrong with every link that is taken too much or too long. */
export function checkLineTime(
  links: Readonly<Record<string, LinkSource>>,
  devices: readonly CollectedDevice[],
  problems: Problems,
): void {
  for (const [id, link] of Object.entries(links)) {
    const behind = devices.filter((device) => device.link === id);
    // A server is no line: what it is asked, it is asked by everybody at once.
    if (behind.length === 0 || protocolOf(link).connect) continue;
    const loads = loadsOn(link, behind);
    checkLoad(id, link, loads, problems);
    if (paceOfLink(link)) checkRequests(id, loads, problems);
  }
}

function checkLoad(id: string, link: LinkSource, loads: readonly Load[], problems: Problems): void {
  const perSecond = (of: (load: Load) => number) =>
    loads.reduce((sum, load) => sum + (of(load) * 1000) / load.periodMs, 0);
  const inFlight = inFlightOf(link) ?? 1;
  const requests = perSecond((load) => load.requests);
  const lineMs = perSecond((load) => load.lineMs);
  const busyMs = lineMs / inFlight;
  if (busyMs <= LOAD_SAFE * 1000) return;
  const answerMs = answerMsOf(link);
  const pace = paceOfLink(link);
  const values = {
    link: id,
    requests: Number(requests.toFixed(1)),
    answerMs,
    inFlight,
    busyMs: Math.round(busyMs),
    percent: Math.round(busyMs / 10),
  };
  const isOver = busyMs > 1000;
  const options = isOver ? {} : ({ severity: 'warning' } as const);
  if (!pace) {
    problems.add(['links', id], isOver ? 'link-overloaded' : 'link-busy', values, options);
    return;
  }
  const { bitsPerSecond: baud, bitsPerCharacter: bits } = pace;
  const characterMs = (1000 * bits) / baud;
  const bytes = Math.round((lineMs - requests * answerMs) / characterMs);
  const sum = { ...values, baud, bits, bytes, bytesMs: Math.round(bytes * characterMs) };
  problems.add(['links', id], isOver ? 'line-overloaded' : 'line-busy', sum, options);
}

/**
 * The longest request of the line beside the shortest period of another device. Where the periods
 * are the same, it delays that one by the same time each time: the period is kept.
 */
function checkRequests(id: string, loads: readonly Load[], problems: Problems): void {
  const requestMs = ({ lineMs, requests }: Load) => lineMs / Math.max(1, requests);
  const [longest] = [...loads].sort((a, b) => requestMs(b) - requestMs(a));
  const [shortest] = [...loads]
    .filter(({ device }) => device !== longest?.device)
    .sort((a, b) => a.periodMs - b.periodMs);
  if (!longest || !shortest || longest.periodMs <= shortest.periodMs) return;
  if (requestMs(longest) <= TOLERANCE * shortest.periodMs) return;
  const values = {
    link: id,
    device: longest.device,
    requestMs: Math.round(requestMs(longest)),
    other: shortest.device,
    periodMs: shortest.periodMs,
  };
  problems.add(['links', id], 'line-long-request', values, { severity: 'warning' });
}
