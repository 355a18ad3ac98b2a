// OPC UA as the protocol contract wants it. The library that speaks it is loaded when the first
// link of the kind is opened, so that a gateway without one stays small.
import { unreachable } from '../../core/fault.ts';
import type { Protocol } from '../driver.ts';
import type { OpcuaAddress, OpcuaDevice } from './address.ts';
import { parseAddress, parseCommand, parseDevice } from './address.ts';
import { openConnection } from './connection.ts';
import { loadLibrary } from './library.ts';
import type { OpcuaPlace } from './place.ts';
import { OpcuaSession } from './session.ts';

export const opcua: Protocol<OpcuaAddress, OpcuaDevice, null> = {
  name: 'opcua',
  parseAddress,
  parseDevice,
  parseCommand,
  isEvent: ({ kind }) => kind === 'event',
  /** What the link says is the place it leads to, see `connect`. */
  parseLine: () => null,
  open: () => unreachable('a library owns the socket' as never),
  connect: async (clock, _random, place, signal, before) => {
    const library = await loadLibrary();
    const kept = before instanceof OpcuaSession ? before.kept : null;
    const where = place as OpcuaPlace;
    const session = kept?.session ?? null;
    const connection = await openConnection(clock, library, where, session, signal);
    return new OpcuaSession(clock, connection, kept);
  },
};
