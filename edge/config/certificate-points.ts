// What a gateway adds to the devices behind a secured OPC UA link: how many days the certificate of
// the server is good for, and its own, with an alarm 90, 30 and 7 days before. Plants have stood
// still because nobody was told.
//
// A link has one server and a gateway one certificate: the first device of each link has the point
// of the server, and the first of all that of the gateway, so that one end raises one alarm. A
// profile that has a point of the same id keeps its own.
import type { LimitRule } from '../../core/alarm/rule.ts';
import { assert } from '../../core/fault.ts';
import { Problems } from '../../core/problems.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Profile, ProfilePoint } from '../../device-profiles/profile.ts';
import type { LinkSource } from './format.ts';
import { protocolOf } from './link.ts';

export type Whose = 'server' | 'own';

export const certificatePointIds = {
  server: 'certificate-server-days',
  own: 'certificate-own-days',
} as const;

const HOUR_MS = 3_600_000;
/**
 * Looking asks the server nothing, and a poll that finds no connection is bad until the next one:
 * so an end is known half a minute after a link stands, not an hour.
 */
const PERIOD_MS = 30_000;
/** Half a day: once told, a certificate has to be renewed to be well again. */
const DEADBAND_DAYS = 0.5;

const stages = [
  { days: 90, level: 4, side: 'low' },
  { days: 30, level: 3, side: 'low' },
  { days: 7, level: 2, side: 'low-low' },
] as const;

/** Which certificates a device tells of; `told` is of the gateway file, device by device. */
export function certificatesOf(id: string, link: LinkSource, told: Set<string>): Whose[] {
  if (!isSecured(link)) return [];
  const own = 'own';
  const server = `server ${id}`;
  const found: Whose[] = [];
  if (!told.has(server)) found.push('server');
  if (!told.has(own)) found.push('own');
  told.add(server).add(own);
  return found;
}

function isSecured(link: LinkSource): boolean {
  return link.kind === 'opcua' && link.security?.policy !== 'None';
}

/** The points of a profile, and those that the gateway adds. */
export function withCertificates(
  { points }: Profile,
  link: LinkSource,
  whose: readonly Whose[],
): readonly ProfilePoint[] {
  const ids = new Set(points.map(({ id }) => id));
  const added = whose.filter((each) => !ids.has(certificatePointIds[each]));
  return [...points, ...added.map((each) => certificatePoint(each, link))];
}

function certificatePoint(whose: Whose, link: LinkSource): ProfilePoint {
  const id = certificatePointIds[whose];
  const address = protocolOf(link).parseAddress({ certificate: whose }, [], new Problems(''));
  assert(address !== undefined, 'the protocol knows the days of a certificate');
  return {
    id,
    // The loader of profiles gives what a protocol parsed, whatever it is.
    address: address as ProfilePoint['address'],
    definition: {
      point: id,
      name: bilingual(`certificate-${whose}-days`),
      ...{ unit: 'd', type: 'number', scale: 1, offset: 0, range: null },
      // Not thinned when the disk is full: it raises alarms, and has two values a day.
      ...{ class: 'compliance', periodMs: PERIOD_MS, deadband: DEADBAND_DAYS },
      rules: stages.map((stage) => ruleOf(whose, stage)),
    },
    invalid: new Map(),
    states: new Map(),
    norms: {},
    caveat: null,
  };
}

function ruleOf(whose: Whose, { days, level, side }: (typeof stages)[number]): LimitRule {
  return {
    ...{ kind: 'limit', id: `certificate-${days}`, side, limit: days, level },
    ...{ deadband: DEADBAND_DAYS, onDelayMs: 0, offDelayMs: 0 },
    title: bilingual(`certificate-${whose}-ends`, { days }),
    action: bilingual(`certificate-${whose}-action`),
    consequence: bilingual(`certificate-${whose}-consequence`),
    timeAvailableMs: days * 24 * HOUR_MS,
  };
}
