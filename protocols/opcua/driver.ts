// OPC UA as the protocol contract wants it. The library that speaks it is loaded when the first
// link of the kind is opened, so that a gateway without one stays small.
import { unreachable } from '../../core/fault.ts';
import type { Protocol } from '../driver.ts';
import type { OpcuaAddress, OpcuaDevice } from './address.ts';
import { parseAddress, parseCommand, parseDevice } from './address.ts';

export const opcua: Protocol<OpcuaAddress, OpcuaDevice, null> = {
  name: 'opcua',
  parseAddress,
  parseDevice,
  parseCommand,
  /** What the link says is the place it leads to, see `connect`. */
  parseLine: () => null,
  open: () => unreachable('a library owns the socket' as never),
};
