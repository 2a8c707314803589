/** Requests of browsers from other origins: any origin, method and header, as Qdrant's `enable_cors`. */
import type { IncomingMessage } from 'node:http';

const vary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';
const methods = 'HEAD, CONNECT, DELETE, TRACE, PUT, GET, POST, PATCH, OPTIONS';
const without: Readonly<Record<string, string>> = { vary };

export function corsHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  const origin = request.headers.origin;
  return origin === undefined ? without : { 'access-control-allow-origin': origin, vary };
}

export function isPreflight(request: IncomingMessage): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.origin !== undefined &&
    request.headers['access-control-request-method'] !== undefined
  );
}

export function preflightHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  const asked = request.headers['access-control-request-headers'];
  return {
    ...corsHeaders(request),
    'access-control-allow-methods': methods,
    ...(asked === undefined ? {} : { 'access-control-allow-headers': asked }),
  };
}
