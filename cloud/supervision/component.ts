// What the way of an alarm is made of, and what is known of each part: it works, it is broken, or
// nobody can tell. One model for the screen, the records and the figures.
import type { MessageKey } from '../../core/text/text.ts';

export const componentKinds = [
  'cloud', // The process itself: broken while it did not run.
  'gateway',
  'link', // One of several paths of a gateway: `gw-1/2`.
  'broker', // By its place in the cloud's file, from 1.
  'ingest',
  'inbox',
  'store',
  'alarms',
  'notifier', // A kind of channel; without a kind: anybody at all can be told.
  'receiver',
  'path-test', // Of a gateway, from its sensor to a confirmation.
] as const;
export type ComponentKind = (typeof componentKinds)[number];

export interface Component {
  readonly kind: ComponentKind;
  /** '' where there is one only. */
  readonly id: string;
}

export type State = 'ok' | 'broken' | 'unknown';

export const whys = [
  'silent', // Connected, and nothing was heard within its time.
  'disconnected',
  'never-heard',
  'starting', // The cloud has just begun to listen.
  'no-broker',
  'no-answer',
  'disk-full',
  'inbox-full',
  'behind', // Does not go on although there is something to take.
  'failed', // The detail says how.
  'not-running',
  'all-receivers', // Every receiver is broken.
  'no-receiver', // None that confirms by machine.
  'untried', // Nothing was sent yet, and there is no heartbeat.
  'test-missed', // The detail says how far the last test came.
] as const;
export type Why = (typeof whys)[number];

export interface Finding {
  readonly state: State;
  /** Null of what is ok. */
  readonly why: Why | null;
  /** A word of a machine: a code, an address that refused; '' for nothing. */
  readonly detail: string;
  /** Of what is ok again: something was lost meanwhile, or may have been. */
  readonly lost?: boolean;
}

export const OK: Finding = { state: 'ok', why: null, detail: '' };

export function broken(why: Why, detail = ''): Finding {
  return { state: 'broken', why, detail };
}

export function unknown(why: Why): Finding {
  return { state: 'unknown', why, detail: '' };
}

export function nameOf({ kind, id }: Component): string {
  return id === '' ? kind : `${kind}/${id}`;
}

export function componentOf(name: string): Component {
  const at = name.indexOf('/');
  const kind = (at < 0 ? name : name.slice(0, at)) as ComponentKind;
  return { kind, id: at < 0 ? '' : name.slice(at + 1) };
}

export const whyKey = (why: Why) => `supervision-why-${why}` as const satisfies MessageKey;
