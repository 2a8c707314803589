/**
 * The REST front end: key, route, body, decode, use case, reply.
 * Always: every request is answered once, an error in Qdrant's shape; a body over the limit is refused before it is
 * read. A body is decoded in one go once it is scanned (scan-body.ts), so one reply builder serves the whole thread.
 */
import { asClusterError, errorText, grpcCode, grpcStatus, httpStatus } from '@quiver/rpc';
import { createReplyBuilder } from '@quiver/wire';
import type { Access, Api } from '../api.ts';
import type { DecodedBody } from '../long-bodies.ts';
import {
  affinityHeader,
  missingShardsHeader,
  missingShardsOf,
  partialResultsHeader,
} from '../read-headers.ts';
import { accessOf } from './auth.ts';
import { BodyTooLarge, readBody } from './body.ts';
import type { Answer, Call, Route } from './call.ts';
import { corsHeaders, isPreflight, preflightHeaders } from './cors.ts';
import type { Marks } from './decode/vector.ts';
import type { Chunks, Exchange } from './exchange.ts';
import type { RestHandler, RestOptions } from './options.ts';
import { send, type Outgoing } from './respond.ts';
import { createBodyScan, type ScannedBody } from './scan-body.ts';
import { createRouteTable, decodeSegment, normalPath, type Match } from './route-table.ts';

const timeoutMsDefault = 60_000;
const jsonType = 'application/json';
const textType = 'text/plain; charset=utf-8';
const nothing = new Uint8Array(0);
const none: readonly string[] = [];
const noParameters = new URLSearchParams();
const noMarks: Marks = { vectorOf: () => null, payloadOf: () => null };

type Given = Omit<Outgoing, 'headers' | 'isLast'> & Partial<Pick<Outgoing, 'headers' | 'isLast'>>;

export function createRestHandler(api: Api, options: RestOptions): RestHandler {
  const { env, log, metrics, service } = options;
  const findRoute = createRouteTable();
  const bodies = createBodyScan((task) => env.soon(task));
  const builder = createReplyBuilder();

  function seconds(startMs: number): number {
    return Math.round((env.now() - startMs) * 1e6) / 1e9;
  }

  function finish(exchange: Exchange, startMs: number, route: Route | null, given: Given): void {
    const { status, contentType, body, headers = none } = given;
    const isLast = given.isLast === true || service.isDraining?.() === true;
    const all = options.corsEnabled ? [...corsHeaders(exchange), ...headers] : headers;
    send(exchange, { status, contentType, body, headers: all, isLast });
    metrics?.observe(exchange.method, route?.template ?? 'unknown', status, (env.now() - startMs) / 1_000);
  }

  function fail(exchange: Exchange, startMs: number, route: Route | null, thrown: unknown): void {
    const error = asClusterError(thrown);
    const status = httpStatus(error.code);
    const asked = { method: exchange.method, route: route?.template };
    // As over gRPC: a refusal that a state of the cluster explains is no fault of this process, and may come often.
    if (grpcStatus(error.code) === grpcCode.internal)
      log.error('request failed', { ...asked, error: thrown });
    else if (status >= 500)
      log.debug('request refused', { ...asked, code: error.code, reason: error.message });
    if (error.code === 'unauthenticated') {
      const body = Buffer.from(error.message);
      finish(exchange, startMs, route, { status, contentType: null, body });
      return;
    }
    const text = JSON.stringify(errorText(error));
    const headers =
      error.retryAfterSeconds === undefined
        ? none
        : ['retry-after', String(Math.ceil(error.retryAfterSeconds))];
    const isLast = error instanceof BodyTooLarge;
    if (isLast) exchange.discardBody();
    const body = Buffer.from(`{"status":{"error":${text}},"time":${seconds(startMs)}}`);
    finish(exchange, startMs, route, { status, contentType: jsonType, body, headers, isLast });
  }

  function succeed(
    exchange: Exchange,
    startMs: number,
    route: Route,
    answer: Answer,
    missingShards: ReadonlySet<number> | null,
  ): void {
    if (answer.kind === 'text') {
      const body = Buffer.from(answer.text);
      finish(exchange, startMs, route, { status: answer.status, contentType: textType, body });
      return;
    }
    const headers =
      missingShards === null || missingShards.size === 0
        ? none
        : [missingShardsHeader, [...missingShards].sort((a, b) => a - b).join(',')];
    builder.start();
    if (answer.kind === 'json') builder.json(JSON.stringify(answer.value));
    else {
      builder.ascii('{"result":');
      answer.write(builder);
      if (answer.explain !== undefined) {
        builder.ascii(',"explain":');
        builder.json(JSON.stringify(answer.explain));
      }
      builder.ascii(`,"status":"ok","time":${seconds(startMs)}}`);
    }
    const body = builder.take();
    finish(exchange, startMs, route, { status: 200, contentType: jsonType, body, headers });
  }

  /** Null: this thread decodes it. Else the body is gone. */
  function lend({ longBody }: Route, chunks: Chunks): Promise<DecodedBody> | null {
    if (longBody === undefined) return null;
    return options.longBodies?.take(longBody, chunks, timeoutMsDefault) ?? null;
  }

  async function serve(
    exchange: Exchange,
    startMs: number,
    match: Match,
    queryString: string,
    access: Access,
  ): Promise<void> {
    const { route, parameters } = match;
    let body: ScannedBody | null = null;
    let decoded: DecodedBody | null = null;
    try {
      if (route.hasBody) {
        const read = readBody(exchange, options.bodyBytesMax);
        const chunks = read instanceof Promise ? await read : read;
        const lent = lend(route, chunks);
        if (lent !== null) decoded = await lent;
        else {
          const scanned = route.bringsNoPoints
            ? bodies.parse(exchange, chunks)
            : bodies.scan(exchange, chunks);
          body = scanned instanceof Promise ? await scanned : scanned;
        }
      }
      const context = (timeoutMs: number | null): { access: Access; deadlineMs: number } => ({
        access,
        deadlineMs: startMs + (timeoutMs ?? timeoutMsDefault),
      });
      const affinity = exchange.header(affinityHeader);
      const missingShards = missingShardsOf(exchange.header(partialResultsHeader));
      const call: Call = {
        api,
        service,
        parameter: (name) => decodeSegment(parameters[name] ?? ''),
        query: queryString === '' ? noParameters : new URLSearchParams(queryString),
        doc: body?.doc,
        marks: body?.marks ?? noMarks,
        update: (decode) => (decoded === null ? decode(call.doc, call.marks) : decoded.update()),
        access,
        wallNowMs: env.wallNow(),
        context,
        readContext(timeoutMs, consistency) {
          const plain = context(timeoutMs);
          if (consistency === undefined && affinity === undefined && missingShards === null) return plain;
          return {
            ...plain,
            ...(consistency === undefined ? {} : { consistency }),
            ...(affinity === undefined ? {} : { affinity }),
            ...(missingShards === null ? {} : { missingShards }),
          };
        },
        writeContext: (timeoutMs, wait) => ({ ...context(timeoutMs), wait }),
      };
      const running = route.run(call);
      body?.release();
      const answer = await running;
      succeed(exchange, startMs, route, answer, missingShards);
    } catch (error) {
      body?.release();
      fail(exchange, startMs, route, error);
    }
  }

  return (exchange) => {
    const startMs = env.now();
    let match: Match | null = null;
    try {
      const { method, url } = exchange;
      const mark = url.indexOf('?');
      const path = normalPath(mark < 0 ? url : url.slice(0, mark));
      if (options.corsEnabled && isPreflight(exchange)) {
        const headers = preflightHeaders(exchange);
        send(exchange, { status: 200, contentType: null, body: nothing, headers, isLast: false });
        return;
      }
      match = findRoute(method, path);
      const access = accessOf(exchange, path, options);
      if (match === null) {
        finish(exchange, startMs, null, { status: 404, contentType: null, body: nothing });
        return;
      }
      void serve(exchange, startMs, match, mark < 0 ? '' : url.slice(mark + 1), access);
    } catch (error) {
      fail(exchange, startMs, match?.route ?? null, error);
    }
  };
}
