// Node's timers count whole milliseconds and may be one early or late; ten characters at 115,200
// baud take less. The last stretch of a wait is therefore spent looking at the clock once a turn of
// the event loop: sockets are served meanwhile, and nothing is ever early.
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';

/** Timers end less than 2 ms after their time on a machine that is not overloaded. */
const LOOK_MS = 2;

export const preciseClock: Clock = {
  ...systemClock,
  after: (ms, fn) => {
    const atMs = performance.now() + ms;
    let timer: NodeJS.Timeout | null = null;
    let turn: NodeJS.Immediate | null = null;
    const look = () => {
      if (performance.now() >= atMs) fn();
      else turn = setImmediate(look);
    };
    if (ms >= LOOK_MS + 1) timer = setTimeout(look, Math.floor(ms - LOOK_MS));
    else turn = setImmediate(look);
    return () => {
      if (timer) clearTimeout(timer);
      if (turn) clearImmediate(turn);
    };
  },
};
