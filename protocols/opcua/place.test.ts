import { expect, test } from 'vitest';
import { isSameEndpoint } from './place.ts';

test('one server has one endpoint, however its host, its port and an empty path are written', () => {
  expect(isSameEndpoint('opc.tcp://PLC', 'opc.tcp://plc:4840/')).toBe(true);
  expect(isSameEndpoint('opc.tcp://plc:4841', 'opc.tcp://plc')).toBe(false);
  expect(isSameEndpoint('opc.tcp://plc/One', 'opc.tcp://plc/one')).toBe(false);
});
