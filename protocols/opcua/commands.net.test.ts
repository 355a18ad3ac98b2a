import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Value } from '../../core/reading.ts';
import { addressOf, OpcuaGround, P, Polled } from '../../tests/opcua-ground.ts';

const ground = new OpcuaGround();
afterEach(() => ground.end());
afterAll(() => ground.remove());
beforeAll(() => ground.warm(), 30_000);

const SPEED = 'ps:S/ps:Speed';

async function opened(points: readonly object[]) {
  const server = await ground.opened({
    nodes: [
      { path: P, type: 'double', value: 2.5 },
      { path: SPEED, type: 'int16', value: 0, writable: true },
      { path: 'ps:S/ps:List', type: 'int16', value: [1, 2, 3], writable: true },
    ],
    methods: [
      {
        path: 'ps:S/ps:Start',
        inputs: [{ name: 'speed', type: 'int16' }],
        sets: { [SPEED]: { input: 0 } },
      },
      { path: 'ps:S/ps:Broken', status: 'BadInvalidState' },
    ],
    alarms: [{ path: 'ps:S/ps:Alarm', source: P, high: 5, severity: 700 }],
  });
  const device = new Polled(await ground.connect(ground.place(server.endpoint)), points);
  const { signal } = new AbortController();
  const write = async (raw: object, value: Value, mayGo?: () => boolean) => {
    const { fault, sure } = await device.handle.write!(addressOf(raw), value, signal, mayGo);
    return fault ? `${fault.code} ${sure ?? 'unsure'}` : 'done';
  };
  return { server, device, write };
}

test('a write takes the type of the node; what does not fit is not sent', async () => {
  const { server, write } = await opened([{ path: P, type: 'double' }]);
  const speed = { path: SPEED, type: 'int16' };
  expect(await write(speed, 41)).toBe('done');
  expect(server.space.get(SPEED).value).toBe(41);
  expect(await write(speed, 70_000)).toBe('opcua_value_unfit unsent');
  expect(await write(speed, 1.5)).toBe('opcua_value_unfit unsent');
  expect(await write(speed, 'fast')).toBe('opcua_value_unfit unsent');
  expect(await write(speed, 7, () => false)).toBe('no_connection unsent');
  expect(await write({ path: P, type: 'double' }, 1)).toBe('opcua_service refused');
  expect(await write({ path: 'ps:S/ps:None', type: 'double' }, 1)).toBe(
    'opcua_node_unknown unsent',
  );
  expect(await write({ path: 'ps:S/ps:List', type: 'int16', element: '[1]' }, 9)).toBe('done');
  expect([...(server.space.get('ps:S/ps:List').value as Int16Array)]).toEqual([1, 9, 3]);
  expect(server.space.get(SPEED).value).toBe(41);
});

test('a node that has another type by now is looked at again, and written once', async () => {
  const { server, write } = await opened([{ path: P, type: 'double' }]);
  const speed = { path: SPEED, type: 'int16' };
  expect(await write(speed, 1)).toBe('done');
  server.space.retype(SPEED, 'double', 0);
  expect(await write(speed, 2)).toBe('done');
  expect(server.space.get(SPEED).value).toBe(2);
});

test('a method is called with its value, once; what it answers is the outcome', async () => {
  const { server, write } = await opened([{ path: P, type: 'double' }]);
  const start = { object: 'ps:S', method: 'ps:Start', arguments: ['$value'] };
  expect(await write(start, 33)).toBe('done');
  expect(server.space.calls).toEqual([{ path: 'ps:S/ps:Start', inputs: [33] }]);
  expect(await write({ ...start, arguments: [] }, null)).toBe('opcua_value_unfit unsent');
  expect(await write({ object: 'ps:S', method: 'ps:Broken' }, null)).toBe('opcua_service refused');
  expect(server.space.calls).toHaveLength(2);
});

test('each event is a reading, two that are equal are two', async () => {
  const event = (field: string) => ({ event: { notifier: 'ps:S', type: 'i=2041', field } });
  const { server, device } = await opened([event('Message'), event('Severity')]);
  await device.until(['bad/not_available', 'bad/not_available']);
  server.space.raise('ps:S', 'Door open', 300);
  server.space.raise('ps:S', 'Door open', 300);
  await device.until(['Door open', 300]);
  await expect.poll(() => device.more).toEqual(['Door open', 300, 'Door open', 300]);
});

test('a condition shows its state and is acknowledged by its newest event', async () => {
  const node = 'ps:S/ps:Alarm';
  const of = (field: string) => ({ condition: { node, field } });
  const points = [of('active'), of('acked'), of('severity')];
  const { server, device, write } = await opened(points);
  await expect.poll(async () => (await device.seen()).slice(0, 2)).toEqual([false, true]);
  server.space.set(P, 9);
  await device.until([true, false, 700]);
  expect(await write({ acknowledge: node }, null)).toBe('done');
  await device.until([true, true, 700]);
  server.space.set(P, 1);
  await expect.poll(async () => (await device.seen())[0]).toBe(false);
});
