// The protocols this gateway speaks. A new one is a folder and a line here.
import type { Protocol } from './driver.ts';
import { modbus } from './modbus/driver.ts';
import { opcua } from './opcua/driver.ts';

export const protocols: readonly Protocol[] = [modbus, opcua];

export function protocolNamed(name: string): Protocol | undefined {
  return protocols.find((protocol) => protocol.name === name);
}
