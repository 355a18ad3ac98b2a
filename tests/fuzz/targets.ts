// Every fuzz target there is.
import { profiles } from '../../device-profiles/profile.fuzz.ts';
import { gateways } from '../../edge/config/gateway.fuzz.ts';
import { dialIn } from '../../edge/links/dial-in.fuzz.ts';
import { lineWire } from '../../protocols/line-wire.fuzz.ts';
import { codecTargets } from '../../protocols/modbus/codec.fuzz.ts';
import { conversations } from '../../protocols/modbus/conversation.fuzz.ts';
import { frameTargets } from '../../protocols/modbus/frames.fuzz.ts';
import { planner } from '../../protocols/modbus/planner.fuzz.ts';
import { values } from '../../protocols/modbus/value.fuzz.ts';
import { uplinkTargets } from '../../protocols/uplink/uplink.fuzz.ts';
import type { FuzzTarget } from './target.ts';

export const targets: readonly FuzzTarget[] = [
  ...uplinkTargets,
  ...codecTargets,
  ...frameTargets,
  ...conversations,
  values,
  planner,
  lineWire,
  ...dialIn,
  profiles,
  gateways,
];
