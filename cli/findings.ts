// Findings of a file on the command line: all that are listed, and how many are not. A check of a
// file shows the line each stands in; where something runs, its output may be a log, and nothing of
// the file is repeated there.
import { readFileSync } from 'node:fs';
import type { Finding } from '../core/problems.ts';
import { InvalidInput, renderFinding } from '../core/problems.ts';
import type { Output } from './verb.ts';
import { exit } from './verb.ts';

interface Found {
  readonly findings: readonly Finding[];
  readonly beyond: number;
}

/** The line these are found in holds a secret. */
const secretCodes: readonly string[] = ['secret-inline', 'not-a-secret-reference'];

export function noteFindings(output: Output, { findings, beyond }: Found, source?: string): void {
  for (const finding of findings) {
    const shown = secretCodes.includes(finding.code) ? undefined : source;
    output.note(renderFinding(finding, output.language, shown));
  }
  if (beyond > 0) output.note(output.say('cli-findings-beyond', { count: beyond }));
}

/** What `check` says of a file: `read` returns its warnings, or throws InvalidInput. */
export function checkFile(output: Output, file: string, read: () => Found): number {
  let found: Found;
  let isWrong = false;
  try {
    found = read();
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    found = error;
    isWrong = true;
  }
  const { findings, beyond } = found;
  const count = findings.length + beyond;
  if (output.json) output.print(JSON.stringify({ file, failed: isWrong, findings, beyond }));
  else {
    noteFindings(output, found, count > 0 ? readFileSync(file, 'utf8') : '');
    if (isWrong) output.note(output.say('cli-file-wrong', { file, count }));
    else output.print(goodText(output, file, count));
  }
  return isWrong ? exit.invalid : exit.done;
}

function goodText(output: Output, file: string, warnings: number): string {
  if (warnings === 0) return output.say('cli-file-good', { file });
  if (warnings === 1) return output.say('cli-file-one-warning', { file });
  return output.say('cli-file-warnings', { file, count: warnings });
}
