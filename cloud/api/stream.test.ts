import { expect, test } from 'vitest';
import type { StreamReader, StreamTopic } from './stream.ts';
import { EventStream, READER_BYTES_MAX, RING_EVENTS_MAX, withinScope } from './stream.ts';

function reader(scope = '', topics: StreamTopic[] = ['alarms']) {
  const seen: string[] = [];
  const state = { pending: 0, ended: false };
  const stream: StreamReader = {
    topics: new Set(topics),
    scope,
    pendingBytes: () => state.pending,
    write: (text) => seen.push(text),
    end: () => {
      state.ended = true;
    },
  };
  const ids = () => seen.flatMap((text) => /id: (.*)/.exec(text)?.[1] ?? []);
  return { stream, seen, state, ids };
}

const alarm = (asset: string | null = null) =>
  ({ topic: 'alarms', name: 'alarm.raised', data: '{}', assets: [asset] }) as const;

test('a reader that comes back gets what it missed, once and in order', () => {
  const events = new EventStream('s1');
  for (let n = 0; n < 5; n++) events.publish(alarm());
  const back = reader();
  events.add(back.stream, 's1-2');
  events.publish(alarm());
  expect(back.ids()).toEqual(['s1-3', 's1-4', 's1-5', 's1-6']);
});

test('a reader the ring cannot continue for is told to start anew, never left with a hole', () => {
  const events = new EventStream('s2');
  for (let n = 0; n < RING_EVENTS_MAX + 10; n++) events.publish(alarm());
  for (const lastId of ['s2-3', 's1-4000', 's2-99999999', 'nonsense']) {
    const back = reader();
    events.add(back.stream, lastId);
    expect(back.seen[0]).toMatch(/^event: reset\n/);
  }
});

test('readings nobody looked at are not made, and who comes back for them is told', () => {
  const events = new EventStream('s1');
  expect(events.wantsReadings('gas/MP-1')).toBe(false);
  const gas = reader('gas', ['readings']);
  events.add(gas.stream, null);
  expect(['gas/MP-1', 'water/1', null].map((asset) => events.wantsReadings(asset))).toEqual([
    true,
    false,
    false,
  ]);
  events.leaveOut('water/1');
  events.publish(alarm('water/1'));
  const first = (scope: string, topics: StreamTopic[], lastId = 's1-0') => {
    const back = reader(scope, topics);
    events.add(back.stream, lastId);
    return back.seen[0]?.split('\n')[0];
  };
  expect(first('water', ['readings'])).toBe('event: reset');
  expect(first('', ['readings', 'alarms'])).toBe('event: reset');
  expect(first('gas', ['readings'])).toBe(undefined);
  expect(first('water', ['alarms'])).toBe('event: alarm.raised');
  expect(first('water', ['readings', 'alarms'], 's1-1')).toBe('event: alarm.raised');
});

test('a reader that does not read is ended and costs the others nothing', () => {
  const events = new EventStream('s1');
  const stalled = reader();
  const healthy = reader();
  events.add(stalled.stream, null);
  events.add(healthy.stream, null);
  stalled.state.pending = READER_BYTES_MAX + 1;
  events.publish(alarm());
  expect(stalled.state.ended).toBe(true);
  expect(healthy.ids()).toContain('s1-1');
  expect(events.readers).toBe(1);
});

test('a reader sees the topics it asked for and the assets of its scope only', () => {
  const events = new EventStream('s1');
  const gas = reader('gas/MP-1');
  const water = reader('', ['gateways']);
  events.add(gas.stream, null);
  events.add(water.stream, null);
  for (const asset of ['gas/MP-1/well-07', 'gas/MP-11', 'gas/MP-1', null])
    events.publish(alarm(asset));
  expect(gas.ids()).toEqual(['s1-0', 's1-1', 's1-3']);
  expect(water.ids()).toEqual(['s1-0']);
});

test('scope is by whole path segments', () => {
  expect(withinScope('gas', 'gasoline/1')).toBe(false);
  expect(withinScope('gas', 'gas/1')).toBe(true);
  expect(withinScope('gas', null)).toBe(false);
  expect(withinScope('', null)).toBe(true);
});
