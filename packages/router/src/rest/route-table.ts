/**
 * From method and path to a route. The hot routes are found by hand, the others by hono's router.
 * Always: a path is looked up without its query, with single slashes and without one at its end.
 */
import { RegExpRouter } from 'hono/router/reg-exp-router';
import { SmartRouter } from 'hono/router/smart-router';
import { TrieRouter } from 'hono/router/trie-router';
import type { Route } from './call.ts';
import { clusterRoutes } from './routes-cluster.ts';
import { collectionRoutes } from './routes-collections.ts';
import { pointRoutes } from './routes-points.ts';
import { serviceRoutes, unservedRoutes } from './routes-service.ts';

export interface Match {
  readonly route: Route;
  /** By name in the template, as they stand in the path. */
  readonly parameters: Readonly<Record<string, string>>;
}

const collectionPrefix = '/collections/';

export function createRouteTable(): (method: string, path: string) => Match | null {
  const router = new SmartRouter<Route>({ routers: [new RegExpRouter(), new TrieRouter()] });
  const hot = new Map<string, Route>();
  for (const route of [
    ...pointRoutes,
    ...collectionRoutes,
    ...clusterRoutes,
    ...serviceRoutes,
    ...unservedRoutes,
  ]) {
    router.add(route.method, route.template.replaceAll(/\{(\w+)\}/g, ':$1'), route);
    const suffix = route.template.slice('/collections/{collection_name}'.length);
    const key = `${route.method} ${suffix}`;
    if (key === 'POST /points/query' || key === 'POST /points/search' || key === 'PUT /points')
      hot.set(key, route);
  }

  return (method, path) => {
    if (path.startsWith(collectionPrefix)) {
      const slash = path.indexOf('/', collectionPrefix.length);
      const route = slash < 0 ? undefined : hot.get(`${method} ${path.slice(slash)}`);
      if (route !== undefined)
        return { route, parameters: { collection_name: path.slice(collectionPrefix.length, slash) } };
    }
    const [handlers, stash] = router.match(method, path);
    const first = handlers[0];
    if (first === undefined) return null;
    const [route, found] = first as [Route, Record<string, number | string>];
    const parameters: Record<string, string> = {};
    for (const [name, value] of Object.entries(found))
      parameters[name] = typeof value === 'number' ? (stash?.[value] ?? '') : value;
    return { route, parameters };
  };
}

export function normalPath(path: string): string {
  let normal = path.includes('//') ? path.replaceAll(/\/{2,}/g, '/') : path;
  if (normal.length > 1 && normal.endsWith('/')) normal = normal.slice(0, -1);
  return normal;
}

/** Percent-decoded; what is no valid coding stays as it is. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
