// A route as a value: what it takes, what it gives, who may call it. There is no way to write one
// without saying its right, and the server takes no other kind.
import type { z } from 'zod';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Act, Principal, Right } from '../registry/registry.ts';
import { customaryActs } from '../registry/registry.ts';

/** Statuses a handler answers with itself. */
export type Problem = 404 | 409 | 412 | 503;

export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly principal: Principal;
  /** The caller's address. */
  readonly from: string;
  /** The revision the caller has read, where it said so. */
  readonly ifMatch: number | null;
  /** Of a route that takes files: its type and its bytes as they come. */
  readonly upload: {
    readonly type: string;
    /** Of the request, by their names in lower case; of several of a name the first. */
    readonly headers: Readonly<Record<string, string>>;
    readonly bytes: AsyncIterable<Uint8Array>;
  } | null;
}

/** An answer that is no JSON; saved as a file of that name, never shown in the API's own name. */
export interface Document {
  readonly type: string;
  readonly name: string;
  readonly body: string | Uint8Array;
  /** Of one that is asked for again and again: who has it already is answered 304. */
  readonly version?: { readonly tag: string; readonly changedMs: number };
}

/** Who made the present revision of something, and when. */
export interface Revised {
  readonly revision: number;
  readonly by: string;
  readonly atMs: number;
}

/** Throws Fault `api_precondition` (412), which names who was first. */
export function checkRevision(ifMatch: number | null, { revision, by, atMs }: Revised): void {
  if (ifMatch === null || ifMatch === revision) return;
  const at = new Date(atMs).toISOString();
  const detail = bilingual('changed-by', { by, at, revision, given: ifMatch });
  throw new Fault('api_precondition', 'never', detail);
}

/** Throws Fault `act_not_allowed` (403). */
export function checkAct({ name, right, acts }: Principal, act: Act): void {
  if ((acts ?? customaryActs[right]).includes(act)) return;
  throw new Fault('act_not_allowed', 'never', bilingual('act-needed', { name, act }));
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  /** `public` needs no token; only health is, and the pages of links (pages.ts). */
  readonly right: Right | 'public';
  readonly summary: string;
  /** Problems beyond those that follow from right, parameters and body. */
  readonly problems?: readonly Problem[];
  readonly schemas: {
    readonly params?: z.ZodType;
    readonly query?: z.ZodType;
    readonly body?: z.ZodType;
    readonly answer: z.ZodType;
  };
  /** The types of its body, where that is a file: taken as it comes, without a limit of ours. */
  readonly uploads?: readonly string[];
  /** The types of its answer, where that is a `Document`. */
  readonly documents?: readonly string[];
  /** Its document has a `version`. */
  readonly isConditional?: true;
  readonly handle: (call: Call<unknown, unknown, unknown>) => unknown;
}

interface TypedRoute<
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  A extends z.ZodType,
> extends Omit<Route, 'schemas' | 'handle'> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: A;
  readonly handle: (
    call: Call<z.output<P>, z.output<Q>, z.output<B>>,
  ) => z.input<A> | Document | Promise<z.input<A> | Document>;
}

/** Binds schemas and handler, so that the compiler checks one against the other. */
export function route<
  A extends z.ZodType,
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
>(typed: TypedRoute<P, Q, B, A>): Route {
  const { params, query, body, answer, handle, ...rest } = typed;
  return {
    ...rest,
    schemas: {
      ...(params && { params }),
      ...(query && { query }),
      ...(body && { body }),
      answer,
    },
    // The server has parsed the call by these very schemas before it calls.
    handle: (call) => handle(call as Call<z.output<P>, z.output<Q>, z.output<B>>),
  };
}
