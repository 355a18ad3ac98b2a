// OPC UA as the protocol contract wants it. All that speaks it, the library too, is loaded when the
// first link of the kind is opened, so that a gateway without one stays small and starts soon.
import { unreachable } from '../../core/fault.ts';
import type { Protocol } from '../driver.ts';
import type { OpcuaAddress, OpcuaDevice } from './address.ts';
import { parseAddress, parseCommand, parseDevice } from './address.ts';
import type { OpcuaPlace } from './place.ts';

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
    const { connect } = await import('./connect.ts');
    return await connect(clock, place as OpcuaPlace, signal, before);
  },
};
