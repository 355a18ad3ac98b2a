// Commands over the API: what may be commanded, asking for it, and what became of it. Releasing and
// withdrawing what waits for a second person are approvals, as everywhere (act-routes.ts).

import type { Clock } from '../../core/clock.ts';
import type { CommandReason, Outcome } from '../../core/command.ts';
import { Fault } from '../../core/fault.ts';
import { dashed } from '../../core/text/commands.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmEvent } from '../alarms/occurrences.ts';
import type { Commanded, Settlement } from '../commands/command.ts';
import { plainValue } from '../commands/command.ts';
import { COMMAND_APPROVAL, type Commands, type Offered } from '../commands/commands.ts';
import { mayGive, wantedText } from '../commands/refusals.ts';
import type { Principal } from '../registry/registry.ts';
import * as schemas from './command-schemas.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import { listOf } from './schemas.ts';
import { withinScope } from './stream.ts';

export interface CommandSources {
  readonly commands: Pick<Commands, 'ask' | 'find' | 'offers' | 'tables'>;
  readonly alarms: Pick<AlarmConsumer, 'approvals'>;
  /** What an act brought, for the live stream; then what was issued is sent. */
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

const optionalIso = (ms: number | null) => (ms === null ? null : iso(ms));

function reasonTexts({ outcome, reason }: { outcome: Outcome; reason: CommandReason }) {
  // A later version of the edge has reasons that are not known here.
  if (reason === 'none' && outcome !== 'done') {
    const text = bilingual('command-reason-unsaid');
    return { text, advice: bilingual('command-advice-no-answer') };
  }
  return {
    text: bilingual(`command-reason-${dashed(reason)}`),
    advice: bilingual(`command-advice-${dashed(reason)}`),
  };
}

function settlementObject(settlement: Settlement | null) {
  if (settlement === null) return null;
  const { outcome, reason, detail, readBack, by, atMs, happenedMs } = settlement;
  return {
    ...{ outcome, reason, ...reasonTexts(settlement), detail, read_back: plainValue(readBack), by },
    ...{ at: iso(atMs), happened: optionalIso(happenedMs) },
  };
}

/** A command as lists, the stream and each act show it. */
export function commandObject(it: Commanded, approval: number | null = null) {
  const { id, number, gateway, device, point, command, name, title, asset, unit, right } = it;
  const { why, by, from, second, state, issued, timeToLiveMs } = it;
  return {
    ...{ id, number, gateway, device, point, command, name, title, asset },
    ...{ value: plainValue(it.value), unit, right, why, by, from, second: second || null, state },
    ...{ asked: iso(it.askedMs), lapses: optionalIso(it.lapsesMs) },
    ...{ issued: optionalIso(issued?.atMs ?? null), epoch: issued?.epoch ?? null },
    ...{ sequence: issued?.sequence ?? null, time_to_live_ms: timeToLiveMs },
    ...{ settled: settlementObject(it.settlement), late: settlementObject(it.late), approval },
  };
}

function offerObject({ entry, offer }: Offered, principal: Principal) {
  const { device, point, name, asset, unit } = entry.definition;
  const { id: command, title, fixed, range, states, right, revert } = offer;
  return {
    ...{ gateway: entry.gateway, device, point, command, name, title, asset, unit },
    value: plainValue(fixed),
    range: range && { low: range[0], high: range[1] },
    states: states && [...states],
    wanted: fixed === null ? wantedText(offer, unit) : null,
    ...{ right, allowed: mayGive(principal, offer), two_people: offer.twoPeople },
    ...{ every_ms: offer.everyMs, time_to_live_ms: offer.timeToLiveMs },
    revert: revert && { after_ms: revert.afterMs, value: plainValue(revert.value) },
  };
}

export function commandRoutes(clock: Clock, sources: CommandSources): Route[] {
  const { commands, alarms, onEvents } = sources;
  const approvalOf = (id: string) =>
    alarms.approvals
      .pending(clock.wallMs())
      .find(({ kind, what }) => kind === COMMAND_APPROVAL && what === id)?.id ?? null;
  const shown = (it: Commanded) =>
    commandObject(it, it.state === 'waiting' ? approvalOf(it.id) : null);
  return [
    offerRoute(sources),
    route({
      method: 'POST',
      url: '/v1/commands',
      right: 'operate',
      summary: 'Command a point; with an id of your own the same call again is no second command',
      problems: [404, 409],
      body: schemas.wish,
      answer: schemas.command,
      handle: ({ body, principal, from }) => {
        const { id = null, time_to_live_ms: timeToLiveMs = null, ...rest } = body;
        const wish = { id, timeToLiveMs, ...rest };
        const asked = commands.ask(wish, principal, from, clock.wallMs());
        onEvents([]);
        return shown(asked);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/commands',
      right: 'read',
      summary: 'Commands and what became of them, the newest first',
      query: schemas.commandQuery,
      answer: listOf(schemas.command),
      handle: ({ query, principal }) => {
        const { gateway, device, point, state, limit, after } = query;
        const filter = {
          ...{ state, limit },
          ...(gateway !== undefined && { gateway }),
          ...(device !== undefined && { device }),
          ...(point !== undefined && { point }),
          ...(after !== undefined && { before: cursorOf(after) }),
        };
        const found = commands.tables.list(filter);
        const seen = found.filter(({ asset }) => withinScope(principal.scope, asset));
        const next = found.length === limit ? String(found.at(-1)!.number) : null;
        return { next, items: seen.map(shown) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/commands/:id',
      right: 'read',
      summary: 'One command, and its outcome',
      params: schemas.params,
      answer: schemas.command,
      handle: ({ params: { id }, principal }) => {
        const found = commands.find(id);
        if (withinScope(principal.scope, found.asset)) return shown(found);
        throw new Fault('command_unknown', 'never', bilingual('command-none', { id }));
      },
    }),
  ];
}

function offerRoute({ commands }: CommandSources): Route {
  return route({
    method: 'GET',
    url: '/v1/offers',
    right: 'read',
    summary: 'What may be commanded: offered by a profile and allowed by its site',
    query: schemas.offerQuery,
    answer: listOf(schemas.offer),
    handle: ({ query: { gateway, device, limit, after }, principal }) => {
      const all = commands
        .offers(principal, gateway)
        .filter(({ entry }) => device === undefined || entry.definition.device === device);
      const first = after === undefined ? 0 : cursorOf(after);
      const items = all.slice(first, first + limit).map((each) => offerObject(each, principal));
      const next = first + limit < all.length ? String(first + limit) : null;
      return { next, items };
    },
  });
}

function cursorOf(after: string): number {
  const number = Number(after);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Fault('api_bad_request', 'never', bilingual('api-no-cursor', { after }));
}
