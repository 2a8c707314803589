/** Requests of browsers from other origins: any origin, method and header, as Qdrant's `enable_cors`. */
import type { Exchange } from './exchange.ts';

const vary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';
const methods = 'HEAD, CONNECT, DELETE, TRACE, PUT, GET, POST, PATCH, OPTIONS';
const without: readonly string[] = ['vary', vary];

/** Names and values in turn, as everywhere in answers. */
export function corsHeaders(exchange: Exchange): readonly string[] {
  const origin = exchange.header('origin');
  return origin === undefined ? without : ['access-control-allow-origin', origin, 'vary', vary];
}

export function isPreflight(exchange: Exchange): boolean {
  return (
    exchange.method === 'OPTIONS' &&
    exchange.header('origin') !== undefined &&
    exchange.header('access-control-request-method') !== undefined
  );
}

export function preflightHeaders(exchange: Exchange): readonly string[] {
  const asked = exchange.header('access-control-request-headers');
  return [
    ...corsHeaders(exchange),
    'access-control-allow-methods',
    methods,
    ...(asked === undefined ? [] : ['access-control-allow-headers', asked]),
  ];
}
