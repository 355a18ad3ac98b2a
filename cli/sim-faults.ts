// Faults on the command line of the simulators: read from --fault, and listed by `sim faults`.
import { Problems } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { FaultContext, FaultKind, SimulatedFault } from '../simulators/faults.ts';
import { faultKinds, parseFault } from '../simulators/faults.ts';
import type { Output } from './verb.ts';
import { exit } from './verb.ts';

/** Each text holds one or several with commas between; throws InvalidInput with all findings. */
export function faultsFrom(texts: readonly string[], context: FaultContext): SimulatedFault[] {
  const problems = new Problems('--fault');
  const faults = texts
    .flatMap((text) => text.split(','))
    .map((text) => parseFault(text, context, [text], problems))
    .filter((fault) => fault !== undefined);
  problems.throwIfAny();
  return faults;
}

export function printFaults(output: Output): number {
  const kinds = Object.keys(faultKinds) as FaultKind[];
  const rows = kinds.map((kind) => {
    const { on, number, settings } = faultKinds[kind];
    const [, min, max, preset] = number ?? [];
    const value = settings ? '9600-8E1' : preset;
    const text = bilingual(`sim-fault-${kind}`);
    return { kind, on, value: value ?? null, min: min ?? null, max: max ?? null, text };
  });
  if (output.json) {
    output.print(JSON.stringify(rows));
    return exit.done;
  }
  for (const { kind, on, value, text } of rows) {
    const written = value === null ? kind : `${kind}=${value}`;
    const where = { both: 'tcp line', all: 'tcp line opcua' }[on as string] ?? on;
    output.print(`  ${written.padEnd(26)}${where.padEnd(16)}${text[output.language]}`);
  }
  output.print(output.say('sim-fault-form', {}));
  return exit.done;
}
