// What a server has below its Objects folder, for a person who looks and for the draft of a
// profile.
//
// Breadth first along hierarchical references; a node that is reached twice is shown where it was
// found first, so a loop ends. Bounded in nodes, depth and time: at a bound the walk ends with what
// it has and says so. What is the same at every server (Server, Aliases, Locations) is left out
// unless it is asked for: it is larger than most plants. Properties (unit, range, arguments) are
// shown with what they belong to, the variables of a condition (Part 9) not at all: the condition
// is.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import { BatchSize, inBatches } from './batches.ts';
import type { Connection } from './connection.ts';
import type { BrowsedArgument, BrowsedVariable, Described } from './described.ts';
import { clean, readDescribed } from './described.ts';
import type { NodeId } from './library.ts';
import type { BrowsePath, QualifiedName } from './node-name.ts';
import { parsePath, pathText } from './node-name.ts';
import { Nodes } from './nodes.ts';
import { limitsMost } from './place.ts';
import type { Facts } from './setup.ts';
import { readFacts, sizesOf } from './setup.ts';

/** 20,000 nodes are 10 MB here and more than anybody reads. */
export const BROWSE_NODES_MAX = 20_000;
export const BROWSE_DEPTH_DEFAULT = 10;
export const BROWSE_DEPTH_MAX = 30;
/** A server that answers each batch in a second is walked through 100,000 nodes meanwhile. */
const BROWSE_MS_MAX = 5 * 60_000;
const BROWSE_BATCH = 100;
const REFERENCES_MAX = 1_000;
/** Of one node; a server that never ends its list is left. */
const CONTINUATIONS_MAX = 200;

export interface BrowseOptions {
  /** Path or nothing: the Objects folder. */
  readonly under: string | null;
  /** Part of a path or title, in any case; what leads to it is shown as well. */
  readonly search: string | null;
  /** 1: what lies directly below. */
  readonly depth: number;
  readonly nodesMax: number;
}

export type BrowsedKind = 'object' | 'variable' | 'method' | 'condition';

export interface BrowsedNode {
  /** As a profile names it, with the prefixes of `namespaces`. */
  readonly path: string;
  readonly id: string;
  /** 1 directly below where the walk began. */
  readonly depth: number;
  readonly kind: BrowsedKind;
  readonly title: string;
  readonly variable: BrowsedVariable | null;
  readonly inputs: readonly BrowsedArgument[];
  readonly outputs: readonly BrowsedArgument[];
}

export interface Browsed {
  /** Prefix -> URI, of those that the nodes need. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly nodes: readonly BrowsedNode[];
  /** Why there may be more: a bound that was met. */
  readonly ended: 'nodes' | 'depth' | 'time' | null;
}

/** Rejects with a fault when the server stops answering, or has no such node. */
export async function browse(
  clock: Clock,
  connection: Connection,
  options: BrowseOptions,
  signal: AbortSignal,
): Promise<Browsed> {
  const sizes = sizesOf(connection.place);
  const facts = await readFacts(clock, connection, sizes);
  const walk = new Walk(clock, connection, facts, options);
  const found = await walk.all(signal);
  await readDescribed(connection, found, sizes.read, signal);
  return walk.shown(found);
}

// --- The walk ---

interface Reference {
  readonly referenceTypeId: NodeId;
  readonly nodeId: NodeId & { readonly serverIndex?: number };
  readonly browseName: { readonly namespaceIndex: number; readonly name: string | null };
  readonly displayName: { readonly text: string | null };
  readonly nodeClass: number;
  readonly typeDefinition: NodeId;
}

interface BrowseResult {
  readonly statusCode: { readonly name: string; isGoodish(): boolean };
  readonly continuationPoint: Buffer | null;
  readonly references: readonly Reference[] | null;
}

interface Found extends Described {
  readonly path: BrowsePath;
  readonly depth: number;
  kind: BrowsedKind;
  readonly title: string;
  readonly properties: Map<string, NodeId>;
}

const nodeClasses = { 1: 'object', 2: 'variable', 4: 'method' } as const;
const CLASS_MASK = 1 | 2 | 4;
/** Part 6, annex A. */
const HIERARCHICAL_REFERENCES = 33;
const HAS_PROPERTY = 46;
const OBJECTS_FOLDER = 85;
/** Server, Aliases, Locations: the same at every server. */
const sameEverywhere = [2253, 23_470, 31_915];
const OF_HISTORY = 'HA Configuration';
/** Of every condition (Part 9, 5.5.2), and of nothing else. */
const conditionNames = ['EnabledState', 'Retain', 'ConditionName'];

class Walk {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #options: BrowseOptions;
  readonly #nodes: Nodes;
  readonly #size = new BatchSize(BROWSE_BATCH);
  readonly #prefixes: readonly (string | null)[];
  readonly #uris: Readonly<Record<string, string>>;
  #ended: Browsed['ended'] = null;

  constructor(clock: Clock, connection: Connection, facts: Facts, options: BrowseOptions) {
    this.#clock = clock;
    this.#connection = connection;
    this.#options = options;
    this.#nodes = new Nodes(connection, new BatchSize(limitsMost.translate), facts.namespaces);
    this.#prefixes = prefixesOf(facts.namespaces);
    this.#uris = Object.fromEntries(
      this.#prefixes.flatMap((prefix, at) =>
        prefix === null ? [] : [[prefix, facts.namespaces[at] ?? '']],
      ),
    );
  }

  async all(signal: AbortSignal): Promise<Found[]> {
    const untilMs = this.#clock.monoMs() + BROWSE_MS_MAX;
    const start = await this.#start();
    const seen = new Set([start.nodeId.toString()]);
    const found: Found[] = [];
    for (let level: Found[] = [start]; level.length > 0; ) {
      if (level[0]!.depth >= this.#options.depth) {
        this.#ended ??= 'depth';
        break;
      }
      const next: Found[] = [];
      for (let at = 0; at < level.length; at += BROWSE_BATCH) {
        if (this.#clock.monoMs() > untilMs) this.#ended = 'time';
        if (found.length + next.length >= this.#options.nodesMax) this.#ended = 'nodes';
        if (this.#ended) break;
        const batch = level.slice(at, at + BROWSE_BATCH);
        const children = await this.#browse(batch, signal);
        batch.forEach((parent, index) => {
          next.push(...this.#children(parent, children[index]!, seen));
        });
      }
      found.push(...next);
      level = this.#ended ? [] : next;
    }
    const kept = found.slice(0, this.#options.nodesMax);
    if (kept.length < found.length) this.#ended = 'nodes';
    // A condition says so with its children: it is told by its kind, not by them.
    return kept.filter(({ path }) => !isBelowCondition(path, kept));
  }

  async #start(): Promise<Found> {
    const { under } = this.#options;
    const path = under === null ? [] : parsePath(under);
    const [place] =
      path && path.length > 0
        ? await this.#nodes.find([
            {
              node: { kind: 'path', path },
              namespaces: this.#uris,
              timeoutMs: this.#connection.place.timeoutMs,
            },
          ])
        : [{ nodeId: this.#nodes.standard(OBJECTS_FOLDER), why: null }];
    if (!path || !place?.nodeId) {
      const detail = bilingual('browse-no-node', { path: under ?? '', why: place?.why ?? '' });
      throw new Fault('opcua_node_not_found', 'never', detail);
    }
    return newFound(place.nodeId, path, 0, 'object', '');
  }

  #children(parent: Found, references: readonly Reference[], seen: Set<string>): Found[] {
    const names = references.map(({ browseName }) => browseName.name ?? '');
    if (conditionNames.every((name) => names.includes(name))) {
      parent.kind = 'condition';
      return [];
    }
    const found: Found[] = [];
    for (const reference of references) {
      const { nodeId, nodeClass, browseName, displayName } = reference;
      const name = browseName.name ?? '';
      const kind = nodeClasses[nodeClass as keyof typeof nodeClasses];
      if (!kind || name === '' || (nodeId.serverIndex ?? 0) > 0) continue;
      const isProperty = isStandard(reference.referenceTypeId, HAS_PROPERTY);
      if (isProperty && (parent.kind !== 'object' || browseName.namespaceIndex === 0)) {
        parent.properties.set(name, nodeId);
        continue;
      }
      const isKnown = sameEverywhere.some((id) => isStandard(nodeId, id));
      if (name === OF_HISTORY || (isKnown && this.#options.under === null)) continue;
      const key = nodeId.toString();
      if (seen.has(key)) continue;
      seen.add(key);
      const prefix = this.#prefixes[browseName.namespaceIndex] ?? null;
      const path: QualifiedName[] = [...parent.path, { prefix, name }];
      found.push(newFound(nodeId, path, parent.depth + 1, kind, displayName.text ?? name));
    }
    return found;
  }

  /** The references of each, all of them; a node that may not be browsed has none. */
  async #browse(batch: readonly Found[], signal: AbortSignal): Promise<Reference[][]> {
    const { library, place } = this.#connection;
    const first = await inBatches(
      batch,
      this.#size,
      async (some) => {
        const request = new library.BrowseRequest({
          requestedMaxReferencesPerNode: REFERENCES_MAX,
          nodesToBrowse: some.map(({ nodeId }) => ({
            nodeId,
            browseDirection: library.BrowseDirection.Forward,
            referenceTypeId: this.#nodes.standard(HIERARCHICAL_REFERENCES),
            includeSubtypes: true,
            nodeClassMask: CLASS_MASK,
            resultMask: 0x3f,
          })),
        });
        const answer = await this.#connection.request<Answer>(request, place.timeoutMs, signal);
        return answer.results ?? [];
      },
      (): BrowseResult | null => null,
    );
    const lists: Reference[][] = [];
    for (const result of first) lists.push(await this.#rest(result, signal));
    return lists;
  }

  async #rest(first: BrowseResult | null, signal: AbortSignal): Promise<Reference[]> {
    const { library, place } = this.#connection;
    const references = [...(first?.references ?? [])];
    let point = first?.continuationPoint ?? null;
    for (let times = 0; point && point.length > 0; times++) {
      const isOver = times >= CONTINUATIONS_MAX || references.length >= this.#options.nodesMax;
      if (isOver) this.#ended = 'nodes';
      const request = new library.BrowseNextRequest({
        continuationPoints: [point],
        releaseContinuationPoints: isOver,
      });
      const answer = await this.#connection.request<Answer>(request, place.timeoutMs, signal);
      const [next] = answer.results ?? [];
      if (isOver || !next?.statusCode.isGoodish()) break;
      references.push(...(next.references ?? []));
      point = next.continuationPoint;
    }
    return references;
  }

  shown(found: readonly Found[]): Browsed {
    const nodes = found.map((node): BrowsedNode => {
      const { depth, kind, title, variable, inputs, outputs } = node;
      const path = pathText(node.path);
      const id = idText(node.nodeId, this.#prefixes);
      return { path, id, depth, kind, title: clean(title), variable, inputs, outputs };
    });
    const kept = searched(nodes, this.#options.search);
    const texts = kept.flatMap(({ path, id }) => [...path.split('/'), id]);
    const used = Object.entries(this.#uris).filter(([prefix]) =>
      texts.some((text) => text.startsWith(`${prefix}:`)),
    );
    return { namespaces: Object.fromEntries(used), nodes: kept, ended: this.#ended };
  }
}

interface Answer {
  readonly results?: readonly BrowseResult[] | null;
}

function newFound(
  nodeId: NodeId,
  path: BrowsePath,
  depth: number,
  kind: BrowsedKind,
  title: string,
): Found {
  const nothing = { properties: new Map<string, NodeId>(), variable: null };
  return { nodeId, path, depth, kind, title, ...nothing, inputs: [], outputs: [] };
}

function isBelowCondition(path: BrowsePath, all: readonly Found[]): boolean {
  return all.some(
    (other) =>
      other.kind === 'condition' &&
      other.path.length < path.length &&
      other.path.every((name, at) => name === path[at]),
  );
}

function isStandard(nodeId: NodeId, id: number): boolean {
  return nodeId.namespace === 0 && nodeId.value === id;
}

/** What leads to a match is kept: a tree without its branches tells nobody where a leaf is. */
function searched(nodes: readonly BrowsedNode[], search: string | null): readonly BrowsedNode[] {
  if (search === null) return nodes;
  const wanted = search.toLowerCase();
  const matches = nodes.filter(({ path, title }) =>
    `${path} ${title}`.toLowerCase().includes(wanted),
  );
  const kept = new Set<string>();
  for (const { path } of matches) {
    const names = path.split('/');
    for (let length = names.length; length > 0; length--)
      kept.add(names.slice(0, length).join('/'));
  }
  return nodes.filter(({ path }) => kept.has(path));
}

/** Of each namespace but the standard's: its last word, made one that a profile takes. */
function prefixesOf(uris: readonly string[]): (string | null)[] {
  const taken = new Set<string>();
  return uris.map((uri, index) => {
    if (index === 0) return null;
    const words = uri.split(/[/:#?]+/).filter((word) => /[A-Za-z]/.test(word));
    const plain = (words.at(-1) ?? '').replaceAll(/[^A-Za-z0-9]+/g, '-');
    const [, word = ''] = /([A-Za-z][A-Za-z0-9-]{0,15})/.exec(plain) ?? [];
    const base = word.replace(/-$/, '').toLowerCase() || `n${index}`;
    const prefix = taken.has(base) ? `${base}-${index}` : base;
    taken.add(prefix);
    return prefix;
  });
}

function idText(nodeId: NodeId, prefixes: readonly (string | null)[]): string {
  const prefix = prefixes[nodeId.namespace] ?? null;
  const [, text = ''] = /(?:ns=\d+;)?([isgb]=.*)$/s.exec(nodeId.toString()) ?? [];
  return clean(prefix === null ? text : `${prefix}:${text}`);
}
