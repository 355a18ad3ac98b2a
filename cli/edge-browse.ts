// `lifeline edge browse`: what an OPC UA server has, for a person at a laptop or at the gateway, and
// the draft of a profile of it. It trusts nobody a gateway would not: an unknown server is refused
// and listed, and the command that trusts it is printed.
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import { systemRandom } from '../core/random.ts';
import { bilingual } from '../core/text/text.ts';
import { profileIdOf } from '../device-profiles/draft.ts';
import { PLACEHOLDER } from '../device-profiles/format.ts';
import { draftOfBrowsed } from '../device-profiles/opcua-draft.ts';
import type { OpcuaLink } from '../edge/config/loader.ts';
import { loadOpcuaLink } from '../edge/config/loader.ts';
import { listTrust, openTrust } from '../edge/links/opcua-trust.ts';
import type { Browsed, BrowsedNode } from '../protocols/opcua/browse.ts';
import {
  BROWSE_DEPTH_DEFAULT,
  BROWSE_DEPTH_MAX,
  BROWSE_NODES_MAX,
  browse,
} from '../protocols/opcua/browse.ts';
import { shortOf } from '../protocols/opcua/certificate.ts';
import { openConnection } from '../protocols/opcua/connection.ts';
import { loadLibrary } from '../protocols/opcua/library.ts';
import type { OpcuaPlace } from '../protocols/opcua/place.ts';
import { ENDPOINT_PATTERN, modes, placeDefaults, policies } from '../protocols/opcua/place.ts';
import { stopSignal } from './child.ts';
import { pad } from './columns.ts';
import type { Pki } from './edge-trust.ts';
import { BROWSER, isFolder, pkiOf, showKnown, trustCommand } from './edge-trust.ts';
import { readText, writeNew } from './files.ts';
import type { Given, Output } from './verb.ts';
import { exit, UsageError } from './verb.ts';

const NODES_DEFAULT = 2_000;
/** A person waits; servers on slow machines take seconds for a handshake. */
const TIMEOUT_MS = 15_000;

export async function run(given: Given, output: Output): Promise<number> {
  const [endpoint = ''] = given.words;
  if (!ENDPOINT_PATTERN.test(endpoint)) {
    throw new UsageError(bilingual('browse-endpoint-usage', { found: endpoint }));
  }
  const options = {
    under: given.text('under') ?? null,
    search: given.text('search') ?? null,
    depth: between(given, 'depth', BROWSE_DEPTH_DEFAULT, BROWSE_DEPTH_MAX),
    nodesMax: between(given, 'nodes', NODES_DEFAULT, BROWSE_NODES_MAX),
  };
  const pki = pkiFor(given);
  const link = linkFor(given, endpoint);
  const place = placeOf(given, endpoint, pki, link);
  if (link) {
    const { security, identity } = place;
    const who = output.say(`browse-as-${identity.kind}`, {});
    const { policy, mode } = security;
    output.note(output.say('browse-as-link', { link: link.id, policy, mode, who }));
    for (const what of link.insecure) {
      output.note(output.say('cli-insecure-said', { what: what[output.language] }));
    }
  }
  if (place.security.policy === 'None') output.note(output.say('browse-insecure', {}));
  const signal = stopSignal();
  let browsed: Browsed;
  try {
    output.note(output.say('browse-connecting', { endpoint }));
    const library = await loadLibrary();
    const connection = await openConnection(systemClock, library, place, null, signal);
    try {
      browsed = await browse(systemClock, connection, options, signal);
    } finally {
      await connection.close();
    }
  } catch (error) {
    advise(error, endpoint, pki, output);
    throw error;
  }
  if (output.json) output.print(JSON.stringify({ endpoint, ...browsed }));
  else show(browsed, endpoint, options, output);
  const draft = given.text('profile');
  if (draft !== undefined) writeDraft(draft, browsed, endpoint, output);
  return exit.done;
}

function between(given: Given, name: string, standard: number, most: number): number {
  const found = given.number(name) ?? standard;
  if (Number.isInteger(found) && found >= 1 && found <= most) return found;
  throw new UsageError(bilingual('browse-between', { option: `--${name}`, most }));
}

/** Of a gateway, or of whoever types this. */
function pkiFor(given: Given): Pki {
  const gateway = given.text('gateway');
  if (gateway !== undefined) return pkiOf(gateway);
  const { XDG_CONFIG_HOME: configured } = process.env;
  const folder = join(configured || join(homedir(), '.config'), 'lifeline', 'pki');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return { folder, gateway: BROWSER, named: folder };
}

/** What a gateway file says of this server, where it does. */
function linkFor(given: Given, endpoint: string): OpcuaLink | undefined {
  const gateway = given.text('gateway');
  const isFile = gateway !== undefined && !isFolder(gateway);
  return isFile ? loadOpcuaLink(gateway, endpoint, process.env) : undefined;
}

/** What is typed goes before what the link says. */
function placeOf(given: Given, endpoint: string, pki: Pki, link?: OpcuaLink): OpcuaPlace {
  const of = link?.parts;
  const isTyped = given.text('policy') !== undefined || given.text('mode') !== undefined;
  const isInsecure = given.flag('insecure') || (of?.security.policy === 'None' && !isTyped);
  const protecting = policies.slice(0, 3);
  const user = given.text('user');
  const passwordFile = given.text('password-file');
  if ((user === undefined) !== (passwordFile === undefined)) {
    throw new UsageError('--user USER --password-file FILE');
  }
  return {
    ...placeDefaults,
    endpoint,
    security: {
      policy: isInsecure ? 'None' : oneOf(given, 'policy', protecting, of?.security.policy),
      mode: isInsecure ? 'None' : oneOf(given, 'mode', modes.slice(0, 2), of?.security.mode),
      host: given.text('host') ?? of?.security.host ?? null,
      expired: of?.security.expired ?? 'refuse',
    },
    identity:
      user === undefined
        ? (link?.identity ?? { kind: 'anonymous' })
        : { kind: 'user', user, password: readText(passwordFile!).trimEnd() },
    trust: openTrust(systemClock, systemRandom, pki),
    timeoutMs: Math.max(TIMEOUT_MS, of?.timeoutMs ?? 0),
    limits: of?.limits ?? {},
  };
}

/** Where nothing is typed what the link says, else the first. */
function oneOf<Word extends string>(
  given: Given,
  name: string,
  words: readonly Word[],
  said: Word | undefined,
): Word {
  const typed = given.text(name);
  const standard = said !== undefined && words.includes(said) ? said : words[0];
  const found = typed === undefined ? standard : words.find((word) => word === typed);
  if (found === undefined) throw new UsageError(`--${name} ${words.join('|')}`);
  return found;
}

/** What to do next about a connection that was not made. */
function advise(error: unknown, endpoint: string, pki: Pki, output: Output): void {
  if (!isFault(error)) return;
  if (error.code === 'opcua_untrusted') {
    const waiting = listTrust(pki.folder).known.find(
      (known) => known.state !== 'trusted' && known.endpoint === endpoint,
    );
    if (!waiting) return;
    if (!output.json) showKnown(waiting, output);
    const command = trustCommand('accept', pki, shortOf(waiting.certificate.fingerprint));
    output.note(output.say('browse-untrusted', { command }));
  } else if (error.code === 'opcua_security_unsupported') {
    output.note(output.say('browse-unencrypted', {}));
  } else if (error.code === 'opcua_refused') {
    const command = trustCommand('own', pki, '--out', `${pki.gateway}.der`);
    output.note(output.say('browse-own-first', { command }));
  }
}

// --- What is shown ---

interface Asked {
  readonly depth: number;
  readonly nodesMax: number;
}

function show(browsed: Browsed, endpoint: string, asked: Asked, output: Output): void {
  const { nodes, namespaces, ended } = browsed;
  output.print(output.say('browse-under-endpoint', { endpoint, count: nodes.length }));
  for (const [prefix, uri] of Object.entries(namespaces)) output.print(`  ${prefix} = ${uri}`);
  output.print('');
  const rows = inTree(nodes).map((node) => [nameOf(node), whatOf(node, output)] as const);
  const width = Math.min(48, Math.max(0, ...rows.map(([name]) => name.length)));
  for (const [name, what] of rows) output.print(`${pad(name, width)}  ${what}`.trimEnd());
  const values = { depth: Math.min(asked.depth * 2, BROWSE_DEPTH_MAX), count: asked.nodesMax * 5 };
  if (ended !== null) output.note(output.say(`browse-more-${ended}`, values as never));
}

/** Each below what it belongs to; as they were found otherwise. */
function inTree(nodes: readonly BrowsedNode[]): BrowsedNode[] {
  const below = Map.groupBy(nodes, ({ path }) => path.slice(0, parentEnd(path)));
  const listed = new Set(nodes.map(({ path }) => path));
  const roots = nodes.filter(({ path }) => !listed.has(path.slice(0, parentEnd(path))));
  const sorted: BrowsedNode[] = [];
  const stack = [...roots].reverse();
  for (let node = stack.pop(); node; node = stack.pop()) {
    sorted.push(node);
    stack.push(...[...(below.get(node.path) ?? [])].reverse());
  }
  return sorted;
}

/** Where the last name of a path begins: behind a slash that `&` does not take its meaning from. */
function parentEnd(path: string): number {
  for (let at = path.length - 1; at > 0; at--) {
    const before = /&*$/.exec(path.slice(0, at))?.[0].length ?? 0;
    if (path[at] === '/' && before % 2 === 0) return at;
  }
  return 0;
}

function nameOf({ path, depth }: BrowsedNode): string {
  const end = parentEnd(path);
  return '  '.repeat(depth - 1) + (end === 0 ? path : path.slice(end + 1));
}

function whatOf(node: BrowsedNode, output: Output): string {
  const { kind, variable, inputs } = node;
  if (kind === 'condition') return output.say('browse-condition', {});
  if (kind === 'method') {
    const given = inputs.map(({ name, type }) => `${name}: ${type}`).join(', ');
    return output.say('browse-method', { inputs: given });
  }
  if (!variable) return '';
  const { typeName, isArray, value, status, unit, range, isWritable, isHistorizing } = variable;
  return [
    `${typeName}${isArray ? '[]' : ''}`.padEnd(9),
    `${value ?? status}${value !== null && unit !== null ? ` ${unit}` : ''}`.padEnd(14),
    range ? `${range[0]}..${range[1]}` : '',
    isWritable ? output.say('browse-writable', {}) : '',
    isHistorizing ? output.say('browse-history', {}) : '',
  ]
    .filter((part) => part !== '')
    .join('  ');
}

function writeDraft(file: string, browsed: Browsed, endpoint: string, output: Output): void {
  const id = profileIdOf(`draft/${basename(file, extname(file))}`) ?? 'draft/server';
  const { language } = output;
  const { yaml, points, left } = draftOfBrowsed(browsed, { id, endpoint, language });
  writeNew(file, yaml);
  output.note(output.say('browse-drafted', { file, points, left, mark: PLACEHOLDER }));
  output.note(output.say('browse-drafted-next', { file }));
}
