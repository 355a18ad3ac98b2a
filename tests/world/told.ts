// Checkers of what people are told, when everything has ended.
//
//   told or shown      what was raised is confirmed, or shown as not; a confirmation is somebody's.
//   told of what is    what a receiver was shown is in the ledger, under the same name, and is of an
//                      alarm that there is: so it counts once, however often it came.
//   the chain stops    nobody further down is shown a call for the first time once it is on disk that
//                      somebody has it.
//   once a step        a person has one call of a notification at a step.
//   who is on duty     is told, by the clock of the cloud; where that is nobody, the next step is.
//   quotas             no receiver is sent more than its provider takes, and what is kept for level I
//                      goes to nothing else.
//   nothing stays open when all is calm and everybody well, nothing is left to do in the ledger.
import type { Alarm } from '../../cloud/alarms/alarm.ts';
import type { Entry } from '../../cloud/notify/ledger.ts';
import { type Delivery, isCall, occurrenceOf } from '../../cloud/notify/notifier.ts';
import { NOBODY_ON_DUTY } from '../../cloud/notify/roster.ts';
import { isDuty, quotas, whoWas } from './duty.ts';
import { WORLD_BEGAN_MS } from './timeline.ts';
import type { World } from './world.ts';

const DONE = ['confirmed', 'acted', 'undelivered', 'failed', 'silenced'];

/** What was queued later than that before the end may be under way, or wait for a quota. */
const UNDER_WAY_MS = 20_000;

const isUnderWay = ({ timeline }: World, { queuedMs }: Delivery) =>
  queuedMs > WORLD_BEGAN_MS + timeline.nowMs - UNDER_WAY_MS;

/** Confirmed, or shown as not: everything that was raised. */
export function checkTold(world: World, alarm: Alarm): void {
  const { witness, cloud } = world;
  const { occurrence, isHistorical, key, rule } = alarm;
  // What a case escalates is told once more by the case itself, not watched here.
  const calls = cloud.parts.ledger.calls(occurrence);
  const deliveries = calls.filter(({ delivery }) => delivery.transition !== 'escalated');
  const name = `${key} ${rule} ${occurrence.slice(0, 8)}`;
  if (isHistorical) {
    if (deliveries.length > 0) witness.problem('history pages nobody', `${name} was delivered`);
    return;
  }
  if (deliveries.length === 0) {
    witness.problem('told or shown', `${name} was raised and no delivery says so`);
    return;
  }
  const isTaken =
    alarm.acknowledgedBy !== null || calls.some(({ delivery }) => delivery.confirmedMs !== null);
  checkDuty(world, calls);
  for (const { delivery, isOpen } of deliveries) {
    const { id, receiver, state } = delivery;
    // Where somebody has it, the others are left as they were.
    const isWaiting = isOpen && isUnderWay(world, delivery);
    if (!DONE.includes(state) && (isOpen || !isTaken) && !isWaiting) {
      const what = `${name} to ${receiver}: ${state}${isOpen ? ', open' : ''}, ${delivery.why}`;
      witness.problem('told or shown', what);
    }
    if (delivery.confirmedMs === null) continue;
    const isSaid = [...witness.pages.values()].some(
      (page) => page.id === id && page.confirmedMs !== null,
    );
    if (!isSaid) witness.problem('told or shown', `${name}: confirmed, and nobody said so`);
  }
}

const TAKEN_AFTER_MS = Array.from({ length: 60 }, (_, seconds) => seconds * 1_000);

/** Who was asked to come at which step, by a clock that may be wrong. */
function checkDuty({ witness }: World, entries: readonly Entry[]): void {
  const taken = new Set<string>();
  for (const { delivery } of entries) {
    const { id, receiver, person, route, step, why, queuedMs } = delivery;
    const name = `${id.slice(0, 8)} ${receiver} ${route}/${step}`;
    // What is queued by the alarms is taken some time after.
    const times = step > 0 ? [0] : TAKEN_AFTER_MS;
    const were = times.map((ms) => whoWas(queuedMs + ms));
    const wasOn = were.find((it) => it === person) ?? were[0]!;
    const key = `${id} ${route}/${step} ${person ?? receiver}`;
    if (taken.has(key)) witness.problem('once a step', `${name} is there twice`);
    taken.add(key);
    if (!isDuty(route, step)) continue;
    if ((wasOn === null) !== (why === NOBODY_ON_DUTY) || (person ?? wasOn) !== wasOn) {
      witness.problem('who is on duty', `${name}: ${person} at ${queuedMs}, it was ${wasOn}`);
    }
    const isFurther = entries.some((it) => it.delivery.id === id && it.delivery.step === step + 1);
    if (wasOn === null && !isFurther) {
      witness.problem('who is on duty', `${name}: nobody, and nobody else was told`);
    }
  }
}

/** Of no window more than the provider takes, and of the reserve level I alone. */
function checkQuotas({ witness }: World): void {
  // A clock that was set, or a ledger that is gone, cannot tell how long ago a message was.
  if (witness.isCloudClockSet || witness.wipes > 0) return;
  for (const [receiver, list] of quotas) {
    const own = witness.messages.filter((it) => it.receiver === receiver);
    for (const { messages, perMs, reserve } of list) {
      own.forEach(({ atMs, level }, at) => {
        const before = own.slice(0, at).filter((it) => it.atMs > atMs - perMs).length;
        const room = messages - (level === 1 ? 0 : reserve);
        if (before < room) return;
        const what = `${receiver}: level ${level} at ${atMs} after ${before} in ${perMs} ms`;
        witness.problem('quotas', what);
      });
    }
  }
}

/** Of all pages together, and of the ledger as it is in the end. */
export function checkPages(world: World): void {
  const { witness, cloud } = world;
  checkQuotas(world);
  const { ledger, alarms } = cloud.parts;
  for (const { delivery } of ledger.open()) {
    const { id, receiver, state, attempts } = delivery;
    if (isUnderWay(world, delivery)) continue;
    const what = `${id} to ${receiver} is ${state} after ${attempts} tries`;
    witness.problem('nothing stays open', what);
  }
  for (const { id, receiver, firstMs } of witness.pages.values()) {
    const occurrence = occurrenceOf(id);
    const name = `${id.slice(0, 8)}${id.slice(occurrence.length)} to ${receiver}`;
    const entry = ledger.of(id).find(({ delivery }) => delivery.receiver === receiver);
    // A cloud that lost its registry knows nothing of what it told.
    if (witness.wipes === 0 && (!entry || !alarms.get(occurrence))) {
      witness.problem('told of what is', `${name} is in no ledger`);
    }
    const handledMs = witness.handled.get(id);
    // The first of a chain is told, whoever of another chain has it.
    const isFurther = entry && entry.delivery.step > 0 && isCall(entry.delivery.transition);
    if (isFurther && handledMs !== undefined && firstMs > handledMs) {
      const what = `${name} at ${firstMs}, and somebody had it at ${handledMs}`;
      witness.problem('the chain stops', what);
    }
  }
}
