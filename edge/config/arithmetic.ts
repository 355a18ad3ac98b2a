// Whether a link can carry what is asked of it. A bus that cannot keep its periods misses polls for
// ever; better said here, with the sum, than found out in the field.
import type { Clock } from '../../core/clock.ts';
import { durationMs } from '../../core/duration.ts';
import { silentLog } from '../../core/log.ts';
import type { Problems } from '../../core/problems.ts';
import type { Link, Protocol } from '../../protocols/driver.ts';
import { Attendance } from '../collect/attendance.ts';
import type { CollectedDevice } from '../collect/device.ts';
import type { LinkSource } from './format.ts';
import { inFlightOf } from './link.ts';

/** Controllers answer within a scan of 10 to 20 ms; who knows better says so with `answer`. */
const ANSWER_DEFAULT = '10ms';

// A plan is made, and nothing is sent: the link carries nothing and the time stands still.
const stillClock: Clock = {
  wallMs: () => 0,
  monoMs: () => 0,
  sleep: () => Promise.resolve(),
  after: () => () => {},
};
const noLink = (): Link => ({
  send: () => {},
  onBytes: () => {},
  onClose: () => {},
  close: () => {},
});

/** Adds a problem for every link that would be busy more than all of the time. */
export function checkLineTime(
  links: Readonly<Record<string, LinkSource>>,
  devices: readonly CollectedDevice[],
  protocolOf: (link: LinkSource) => Protocol,
  problems: Problems,
): void {
  for (const [id, link] of Object.entries(links)) {
    const answerMs = durationMs(link.answer ?? ANSWER_DEFAULT);
    const inFlight = inFlightOf(link) ?? 1;
    const session = protocolOf(link).open(stillClock, noLink());
    let requestsPerSecond = 0;
    for (const device of devices) {
      if (device.link !== id) continue;
      const attendance = new Attendance(stillClock, silentLog, device);
      const handle = attendance.attend(session.device(device.options));
      for (const { addresses, periodMs } of device.groups) {
        const plan = handle.plan(addresses);
        requestsPerSecond += (plan.requests * 1000) / periodMs;
      }
    }
    session.close();
    const busyMs = (requestsPerSecond * answerMs) / inFlight;
    if (busyMs <= 1000) continue;
    problems.add(['links', id], 'link-overloaded', {
      link: id,
      requests: Number(requestsPerSecond.toFixed(1)),
      answerMs,
      inFlight,
      busyMs: Math.round(busyMs),
    });
  }
}
