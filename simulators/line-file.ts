// A simulated line as a file says it: its settings, where programs reach it, its stations from
// profiles, and what is wrong with them. `lifeline sim line` makes the same from its options.
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { readDocument } from '../core/document.ts';
import { durationMs } from '../core/duration.ts';
import type { Path, Problems } from '../core/problems.ts';
import { durationForm } from '../core/schema.ts';
import type { Profile } from '../device-profiles/profile.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { lineSettings } from '../protocols/line-settings.ts';
import { SimBus } from './bus.ts';
import { SimulatedDevice } from './device.ts';
import type { SimulatedFault } from './faults.ts';
import { parseFault, parseUnits } from './faults.ts';
import type { Endpoint } from './line-server.ts';
import { parseEndpoint } from './line-server.ts';
import type { Framing } from './station.ts';
import { framings } from './station.ts';

const UNIT_MAX = 247;
export const TURNAROUND = '5ms';

const stationForm = z.strictObject({
  units: z
    .union([z.int().min(1).max(UNIT_MAX), z.string()])
    .describe('Unit numbers: 2, "1-8", "2+5-8"; each is a device of its own'),
  profile: z.string().min(3).max(140),
  set: z
    .record(z.string(), z.union([z.number(), z.boolean(), z.string()]))
    .optional()
    .describe('point: the value it shows'),
  turnaround: durationForm.optional().describe('From a request to its answer'),
});

export const lineForm = z
  .strictObject({
    version: z.literal(1),
    serial: z.string().describe('Baud, data bits, parity and stop bits: 9600-8N1'),
    framing: z.enum(framings).optional().describe('rtu by default'),
    turnaround: durationForm.optional().describe('Of stations that do not say; 5ms by default'),
    seed: z.int().min(0).max(0xffff_ffff).optional(),
    listen: z
      .array(z.string())
      .optional()
      .describe('sim:/run/x.sock, sim:HOST:PORT, pty:/tmp/ttyX, rtu-tcp:HOST:PORT, tcp:HOST:PORT'),
    stations: z.array(stationForm).min(1).max(UNIT_MAX),
    faults: z.array(z.string()).optional().describe('KIND[=VALUE][:UNITS][/EVERY][@FROM[-TO]]'),
  })
  .describe('A simulated serial line with its devices');

export type LineForm = z.output<typeof lineForm>;

export interface StationPlan {
  readonly unit: number;
  /** `vendor/model` */
  readonly profile: string;
  readonly set: Readonly<Record<string, number | boolean | string>>;
  readonly turnaroundMs: number;
}

export interface LinePlan {
  readonly settings: LineSettings;
  readonly framing: Framing;
  readonly seed: number;
  readonly endpoints: readonly Endpoint[];
  readonly stations: readonly StationPlan[];
  readonly faults: readonly SimulatedFault[];
}

/** Throws InvalidInput with every finding. */
export function parseLineFile(text: string, file: string): LinePlan {
  const { value, problems } = readDocument(text, file, lineForm);
  const plan = value && planLine(value, problems);
  problems.throwIfAny();
  return plan!;
}

/** Undefined when something is wrong that nothing can be made of; `problems` has all of it. */
export function planLine(form: LineForm, problems: Problems): LinePlan | undefined {
  const settings = lineSettings(form.serial);
  if (!settings) problems.add(['serial'], 'sim-serial-wrong', { found: form.serial });
  const framing = form.framing ?? 'rtu';
  if (settings?.dataBits === 7 && framing === 'rtu') {
    problems.add(['serial'], 'sim-rtu-needs-8', { found: form.serial });
  }
  const stations = planStations(form, problems);
  const endpoints = (form.listen ?? []).flatMap((text, at) => {
    const endpoint = parseEndpoint(text);
    if (!endpoint) problems.add(['listen', at], 'sim-endpoint-wrong', { found: text });
    return endpoint ? [endpoint] : [];
  });
  const known = new Set(stations.map(({ unit }) => unit));
  const faults = (form.faults ?? []).flatMap((text, at) => {
    const path: Path = ['faults', at];
    const context = { on: 'line', ...(settings && { settings }) } as const;
    const fault = parseFault(text, context, path, problems);
    const nobody = fault?.units?.filter((unit) => !known.has(unit)) ?? [];
    for (const unit of nobody) problems.add(path, 'sim-fault-no-unit', { found: text, unit });
    return fault ? [fault] : [];
  });
  if (!settings) return undefined;
  return { settings, framing, seed: form.seed ?? 0, endpoints, stations, faults };
}

function planStations(form: LineForm, problems: Problems): StationPlan[] {
  const taken = new Set<number>();
  return form.stations.flatMap(({ units: text, profile, set = {}, turnaround }, at) => {
    const units = parseUnits(`${text}`);
    if (!units || units.some((unit) => unit > UNIT_MAX)) {
      problems.add(['stations', at, 'units'], 'sim-units-wrong', { found: `${text}` });
      return [];
    }
    const turnaroundMs = durationMs(turnaround ?? form.turnaround ?? TURNAROUND);
    return units.map((unit) => {
      if (taken.has(unit))
        problems.add(['stations', at, 'units'], 'recording-unit-twice', { unit });
      taken.add(unit);
      return { unit, profile, set, turnaroundMs };
    });
  });
}

/**
 * The line with its devices, running. `load` gives the profile of a reference. Throws Fault for a
 * profile, a point or a value that is none.
 */
export function startBus(
  clock: Clock,
  plan: LinePlan,
  load: (reference: string) => Profile,
  parts: Clock = clock,
): SimBus {
  const profiles = new Map<string, Profile>();
  const stations = plan.stations.map(({ unit, profile: reference, set, turnaroundMs }) => {
    const profile = profiles.get(reference) ?? load(reference);
    profiles.set(reference, profile);
    const bank = new SimulatedDevice(profile);
    for (const [point, value] of Object.entries(set)) bank.set(point, value);
    return { unit, bank, turnaroundMs };
  });
  const { settings, framing, seed, faults } = plan;
  return new SimBus(clock, { settings, framing, stations, seed, faults, parts });
}
