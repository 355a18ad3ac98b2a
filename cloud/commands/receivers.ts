// What receivers of alarms (a siren, a lamp, a modem) may do with the book of commands.
import type { Clock } from '../../core/clock.ts';
import type { AlarmTables } from '../alarms/tables.ts';
import type { SiteCommands } from '../notify/channels/command.ts';
import type { Ledger } from '../notify/ledger.ts';
import { isCall } from '../notify/notifier.ts';
import type { Principal } from '../registry/registry.ts';
import type { Commands } from './commands.ts';

/** Looked at in one go: in a flood the first page mostly has one that stands. */
const PAGE = 100;
/** As the address that a receiver's commands come from. */
const FROM = 'notify';

export interface ReceiverSources {
  /** Called when something is commanded: the book opens after the receivers do. */
  readonly commands: () => Pick<Commands, 'ask' | 'offers' | 'tables'>;
  readonly tables: AlarmTables;
  readonly ledger: Ledger;
  /** What was issued is sent. */
  readonly onAsked: () => void;
}

export function siteCommands(
  clock: Clock,
  { commands, tables, ledger, onAsked }: ReceiverSources,
): SiteCommands {
  const everything: Principal = { name: FROM, right: 'administer', scope: '' };
  return {
    ask: (wish, principal) => {
      const asked = commands().ask(wish, principal, FROM, clock.wallMs());
      onAsked();
      return asked;
    },
    find: (id) => commands().tables.get(id),
    needsSecond: ({ gateway, device, point, command }) =>
      commands()
        .offers(everything, gateway)
        .find(
          ({ entry: { definition: it }, offer }) =>
            it.device === device && it.point === point && offer.id === command,
        )?.offer.twoPeople,
    isOver: (occurrence) => (tables.get(occurrence)?.clearedMs ?? null) !== null,
    isCalled: (receiver, besides) => {
      for (let before: number | undefined; ; ) {
        const filter = { state: 'open', limit: PAGE } as const;
        const standing = tables.list(before === undefined ? filter : { ...filter, before });
        const isOne = standing.some(
          ({ occurrence, clearedMs }) =>
            clearedMs === null && !besides.has(occurrence) && calls(ledger, occurrence, receiver),
        );
        if (isOne) return true;
        if (standing.length < PAGE) return false;
        before = standing.at(-1)!.number;
      }
    },
  };
}

/** A call that is under way counts: it may reach the device before what is asked about now. */
function calls(ledger: Ledger, occurrence: string, receiver: string): boolean {
  return ledger
    .calls(occurrence)
    .some(
      ({ delivery: it, isOpen }) =>
        it.receiver === receiver && isCall(it.transition) && (isOpen || it.acceptedMs !== null),
    );
}
