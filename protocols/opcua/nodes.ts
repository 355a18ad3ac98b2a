// From the names of a profile to the node ids of this server: prefixes by the URIs in its namespace
// array, paths by TranslateBrowsePathsToNodeIds (Part 4, 5.9.4) in batches. A name that leads
// nowhere is the affair of its point alone.
import type { Fault } from '../../core/fault.ts';
import type { BatchSize } from './batches.ts';
import { inBatches } from './batches.ts';
import type { Connection } from './connection.ts';
import type { NodeId } from './library.ts';
import type { BrowsePath, NodeName } from './node-name.ts';

/** Of namespace 0 (Part 6, annex A). */
const OBJECTS_FOLDER = 85;
const HIERARCHICAL_REFERENCES = 33;

/** What is looked for: a name, or a path from a node that is known. */
export interface Wanted {
  readonly node: NodeName;
  /** Prefix -> URI. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Where a path begins; absent: the Objects folder. */
  readonly from?: NodeId;
}

/** The node, or why there is none: a status, or the URI that the server does not have. */
export type Found =
  | { readonly nodeId: NodeId; readonly why: null }
  | { readonly nodeId: null; readonly why: string };

export class Nodes {
  readonly #connection: Connection;
  readonly #size: BatchSize;
  readonly #indexes = new Map<string, number>();

  constructor(connection: Connection, size: BatchSize, namespaceArray: readonly string[]) {
    this.#connection = connection;
    this.#size = size;
    namespaceArray.forEach((uri, index) => {
      if (!this.#indexes.has(uri)) this.#indexes.set(uri, index);
    });
  }

  /** A node of namespace 0. */
  standard(id: number): NodeId {
    return this.#connection.library.coerceNodeId(`ns=0;i=${id}`);
  }

  /** The index of a prefix; the URI as text when the server has none such. */
  index(prefix: string | null, namespaces: Wanted['namespaces']): number | string {
    if (prefix === null) return 0;
    const uri = Object.hasOwn(namespaces, prefix) ? namespaces[prefix] : undefined;
    return this.#indexes.get(uri ?? '') ?? uri ?? prefix;
  }

  /** One answer a name, in order. Rejects when the server does not answer at all. */
  async find(wanted: readonly Wanted[], signal?: AbortSignal): Promise<Found[]> {
    const found: (Found | undefined)[] = wanted.map((one) => this.#atOnce(one));
    const asked = wanted.flatMap((one, at) => (found[at] ? [] : [{ one, at }]));
    const results = await inBatches(
      asked.map(({ one }) => one),
      this.#size,
      (batch) => this.#translate(batch, signal),
      (fault: Fault): Found => ({ nodeId: null, why: fault.message }),
    );
    asked.forEach(({ at }, index) => {
      found[at] = results[index];
    });
    return found as Found[];
  }

  /** What needs no question: ids, and names in a namespace that the server does not have. */
  #atOnce({ node, namespaces }: Wanted): Found | undefined {
    if (node.kind === 'path') {
      const missing = node.path
        .map(({ prefix }) => this.index(prefix, namespaces))
        .find((index) => typeof index === 'string');
      return missing === undefined ? undefined : { nodeId: null, why: missing };
    }
    const index = this.index(node.prefix, namespaces);
    if (typeof index === 'string') return { nodeId: null, why: index };
    const text = `ns=${index};${node.type}=${node.value}`;
    return { nodeId: this.#connection.library.coerceNodeId(text), why: null };
  }

  async #translate(batch: readonly Wanted[], signal?: AbortSignal): Promise<Found[]> {
    const { library } = this.#connection;
    const request = new library.TranslateBrowsePathsToNodeIdsRequest({
      browsePaths: batch.map(({ node, namespaces, from }) => ({
        startingNode: from ?? this.standard(OBJECTS_FOLDER),
        relativePath: {
          elements: node.kind === 'path' ? this.#elements(node.path, namespaces) : [],
        },
      })),
    });
    const timeoutMs = Math.max(...batch.map((one) => one.timeoutMs));
    const { results } = await this.#connection.request<Translated>(request, timeoutMs, signal);
    return (results ?? []).map(({ statusCode, targets }): Found => {
      // What lies on another server has the rest of the path left over.
      const target = targets?.find(({ remainingPathIndex }) => remainingPathIndex === WHOLE);
      if (statusCode.isGoodish() && target) return { nodeId: target.targetId, why: null };
      return { nodeId: null, why: statusCode.name };
    });
  }

  #elements(path: BrowsePath, namespaces: Wanted['namespaces']) {
    return path.map(({ prefix, name }) => ({
      referenceTypeId: this.standard(HIERARCHICAL_REFERENCES),
      isInverse: false,
      includeSubtypes: true,
      targetName: { namespaceIndex: Number(this.index(prefix, namespaces)), name },
    }));
  }
}

/** Part 4, 5.9.4.2: the largest UInt32 says that the whole path was followed. */
const WHOLE = 0xffff_ffff;

interface Translated {
  readonly results?: readonly {
    readonly statusCode: { readonly name: string; isGoodish(): boolean };
    readonly targets?:
      | readonly { readonly targetId: NodeId; readonly remainingPathIndex: number }[]
      | null;
  }[];
}
