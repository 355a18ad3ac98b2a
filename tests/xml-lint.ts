// What xmllint (libxml2) says of a document: '' where nothing is wrong with it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { program } from './programs.ts';

export const xmllint = program('xmllint');

/** The elements of CAP 1.2, as these tests know them. */
export const capElements = fileURLToPath(
  new URL('../cloud/warnings/fixtures/cap-1.2-elements.xsd', import.meta.url),
);

export function lint(xml: string, schema?: string): string {
  const by = schema === undefined ? [] : ['--schema', schema];
  const { status, stderr } = spawnSync(xmllint!, ['--noout', '--nonet', ...by, '-'], {
    input: xml,
    encoding: 'utf8',
  });
  return status === 0 ? '' : stderr;
}

/** The text of what an XPath names; `local` finds elements of any namespace. */
export function found(xml: string, path: string): string {
  const asked = path.replaceAll(/\/(\w+)/g, "/*[local-name()='$1']");
  const { stdout } = spawnSync(xmllint!, ['--nonet', '--xpath', `string(${asked})`, '-'], {
    input: xml,
    encoding: 'utf8',
  });
  return stdout.replace(/\n$/, '');
}
