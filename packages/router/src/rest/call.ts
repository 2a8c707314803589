/** One REST request on its way through a route: what was matched and decoded, and what the route answers with. */
import type { ReplyBuilder } from '@quiver/wire';
import type { Access, Api, ConsistencyLevel, PointsUpdate, RequestContext, WriteContext } from '../api.ts';
import type { DecodeUpdate } from './decode/updates.ts';
import type { Marks } from './decode/vector.ts';
import type { LongBodyKind } from '../long-bodies.ts';
import type { ServiceReports } from './options.ts';

export interface Call {
  readonly api: Api;
  readonly service: ServiceReports;
  /** A segment of the path by its name in the template, percent-decoded. */
  parameter(name: string): string;
  readonly query: URLSearchParams;
  /** The body, when the route has one. Read it and its marks before the first await: both are gone afterwards. */
  readonly doc: unknown;
  readonly marks: Marks;
  /** The body as a change of points, whichever thread decodes it. Before the first await, too. @throws ClusterError */
  update(decode: DecodeUpdate): PointsUpdate;
  readonly access: Access;
  /** Milliseconds since the epoch. */
  readonly wallNowMs: number;
  /** @param timeoutMs - null: the default */
  context(timeoutMs: number | null): RequestContext;
  /** With what the headers say about reads. */
  readContext(timeoutMs: number | null, consistency: ConsistencyLevel | undefined): RequestContext;
  writeContext(timeoutMs: number | null, wait: boolean): WriteContext;
}

/** Writes the `result` of the envelope. */
export type WriteResult = (reply: ReplyBuilder) => void;

export type Answer =
  | {
      readonly kind: 'result';
      readonly write: WriteResult;
      /** A member of the envelope beside `result`. */
      readonly explain?: unknown;
    }
  | TextAnswer
  | { readonly kind: 'json'; readonly value: unknown };
export interface TextAnswer {
  readonly kind: 'text';
  readonly status: number;
  readonly text: string;
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** "/collections/{collection_name}/points" */
  readonly template: string;
  readonly hasBody: boolean;
  /** Its body is read without marks: a key `payload` or `vector` in it is a name like any other. */
  readonly bringsNoPoints?: boolean;
  /** Its long bodies may be decoded by another thread, in the way of this name. REQUIRES: `run` reads them by `update` alone. */
  readonly longBody?: LongBodyKind;
  /** May throw; what it throws becomes the error answer. */
  readonly run: (call: Call) => Answer | Promise<Answer>;
}
