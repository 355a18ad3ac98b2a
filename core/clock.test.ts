import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

test('a precise wait never ends early, nor within the call that began it', async () => {
  for (const ms of [-1, 0, 0.3, 1.2, 1.75, 3.5]) {
    const beganMs = systemClock.monoMs();
    let isBegun = false;
    await new Promise<void>((resolve) => {
      systemClock.afterPrecisely(ms, () => {
        expect(isBegun).toBe(true);
        resolve();
      });
      isBegun = true;
    });
    expect(systemClock.monoMs() - beganMs).toBeGreaterThanOrEqual(ms);
  }
});

test('a precise wait that is cancelled never ends, whichever stretch of it runs', async () => {
  let ended = 0;
  const cancels = [0.2, 1.75, 4].map((ms) => systemClock.afterPrecisely(ms, () => ended++));
  cancels[0]!();
  // The second one is past its timer or not: both are stretches that can be cancelled.
  await new Promise<void>((resolve) => void systemClock.afterPrecisely(1.4, resolve));
  const before = ended;
  for (const cancel of cancels) cancel();
  await new Promise<void>((resolve) => void systemClock.after(10, resolve));
  expect(ended).toBe(before);
});
