/**
 * The REST front end on node:http: key, route, body, decode, use case, reply.
 * Always: every request is answered once, an error in Qdrant's shape; a body over the limit is refused before it is
 * read. Bodies are scanned and decoded in one go, so one scanner and one reply builder serve the whole thread.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClusterError } from '@quiver/model';
import { asClusterError, errorText, grpcCode, grpcStatus, httpStatus } from '@quiver/rpc';
import { createBodyScanner, createReplyBuilder } from '@quiver/wire';
import type { Access, Api } from '../api.ts';
import { affinityHeader, missingShardsHeader, partialResultsHeader } from '../read-headers.ts';
import { accessOf } from './auth.ts';
import { BodyTooLarge, jsonErrorText, readBody, releaseChunks } from './body.ts';
import type { Answer, Call, Route } from './call.ts';
import { corsHeaders, isPreflight, preflightHeaders } from './cors.ts';
import type { RestHandler, RestOptions } from './options.ts';
import { send, type Outgoing } from './respond.ts';
import { createRouteTable, decodeSegment, normalPath, type Match } from './route-table.ts';

const timeoutMsDefault = 60_000;
/** How long a client whose body was refused may go on sending it before the connection is cut. */
const drainMs = 5_000;
const jsonType = 'application/json';
const textType = 'text/plain; charset=utf-8';
const nothing = new Uint8Array(0);
const noParameters = new URLSearchParams();

export function createRestHandler(api: Api, options: RestOptions): RestHandler {
  const { env, log, metrics, service } = options;
  const findRoute = createRouteTable();
  const scanner = createBodyScanner();
  const builder = createReplyBuilder();

  function seconds(startMs: number): number {
    return Math.round((env.now() - startMs) * 1e6) / 1e9;
  }

  function finish(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    route: Route | null,
    outgoing: Outgoing,
  ): void {
    const cors = options.corsEnabled ? corsHeaders(request) : undefined;
    if (service.isDraining?.() === true) response.setHeader('connection', 'close');
    send(
      request,
      response,
      cors === undefined ? outgoing : { ...outgoing, headers: { ...cors, ...outgoing.headers } },
    );
    metrics?.observe(
      request.method ?? '',
      route?.template ?? 'unknown',
      outgoing.status,
      (env.now() - startMs) / 1_000,
    );
  }

  function fail(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    route: Route | null,
    thrown: unknown,
  ): void {
    const error = asClusterError(thrown);
    const status = httpStatus(error.code);
    const asked = { method: request.method, route: route?.template };
    // As over gRPC: a refusal that a state of the cluster explains is no fault of this process, and may come often.
    if (grpcStatus(error.code) === grpcCode.internal)
      log.error('request failed', { ...asked, error: thrown });
    else if (status >= 500)
      log.debug('request refused', { ...asked, code: error.code, reason: error.message });
    if (error.code === 'unauthenticated') {
      const body = Buffer.from(error.message);
      finish(request, response, startMs, route, { status, contentType: null, body });
      return;
    }
    const text = JSON.stringify(errorText(error));
    const headers: Record<string, string> = {};
    if (error.retryAfterSeconds !== undefined)
      headers['retry-after'] = String(Math.ceil(error.retryAfterSeconds));
    if (error instanceof BodyTooLarge) {
      headers['connection'] = 'close';
      request.resume();
      env.after(drainMs, () => request.socket.destroy());
    }
    const body = Buffer.from(`{"status":{"error":${text}},"time":${seconds(startMs)}}`);
    finish(request, response, startMs, route, { status, contentType: jsonType, body, headers });
  }

  function succeed(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    route: Route,
    answer: Answer,
    missingShards: ReadonlySet<number> | null,
  ): void {
    if (answer.kind === 'text') {
      const body = Buffer.from(answer.text);
      finish(request, response, startMs, route, { status: answer.status, contentType: textType, body });
      return;
    }
    const headers: Record<string, string> =
      missingShards === null || missingShards.size === 0
        ? {}
        : { [missingShardsHeader]: [...missingShards].sort((a, b) => a - b).join(',') };
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
    finish(request, response, startMs, route, { status: 200, contentType: jsonType, body, headers });
  }

  function scan(chunks: readonly Uint8Array[]): unknown {
    try {
      return scanner.scan(chunks, true);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const isEmpty = chunks.every((chunk) => chunk.length === 0);
      throw new ClusterError('malformed', jsonErrorText(error, isEmpty), { cause: error });
    } finally {
      releaseChunks(chunks);
    }
  }

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    match: Match,
    queryString: string,
    access: Access,
  ): Promise<void> {
    const { route, parameters } = match;
    const missingShards = request.headers[partialResultsHeader] === 'allow' ? new Set<number>() : null;
    try {
      let chunks: readonly Uint8Array[] = [];
      if (route.hasBody) chunks = await readBody(request, options.bodyBytesMax);
      const context = (timeoutMs: number | null): { access: Access; deadlineMs: number } => ({
        access,
        deadlineMs: startMs + (timeoutMs ?? timeoutMsDefault),
      });
      const affinity = request.headers[affinityHeader];
      const call: Call = {
        api,
        service,
        parameter: (name) => decodeSegment(parameters[name] ?? ''),
        query: queryString === '' ? noParameters : new URLSearchParams(queryString),
        doc: route.hasBody ? scan(chunks) : undefined,
        marks: scanner,
        access,
        wallNowMs: env.wallNow(),
        context,
        readContext: (timeoutMs, consistency) => ({
          ...context(timeoutMs),
          ...(consistency === undefined ? {} : { consistency }),
          ...(typeof affinity === 'string' ? { affinity } : {}),
          ...(missingShards === null ? {} : { missingShards }),
        }),
        writeContext: (timeoutMs, wait) => ({ ...context(timeoutMs), wait }),
      };
      const answer = await route.run(call);
      succeed(request, response, startMs, route, answer, missingShards);
    } catch (error) {
      fail(request, response, startMs, route, error);
    }
  }

  return (request, response) => {
    const startMs = env.now();
    let match: Match | null = null;
    try {
      const url = request.url ?? '/';
      const mark = url.indexOf('?');
      const path = normalPath(mark < 0 ? url : url.slice(0, mark));
      if (options.corsEnabled && isPreflight(request)) {
        const headers = preflightHeaders(request);
        send(request, response, { status: 200, contentType: null, body: nothing, headers });
        return;
      }
      match = findRoute(request.method ?? '', path);
      const access = accessOf(request, path, options);
      if (match === null) {
        finish(request, response, startMs, null, { status: 404, contentType: null, body: nothing });
        return;
      }
      void serve(request, response, startMs, match, mark < 0 ? '' : url.slice(mark + 1), access);
    } catch (error) {
      fail(request, response, startMs, match?.route ?? null, error);
    }
  };
}
