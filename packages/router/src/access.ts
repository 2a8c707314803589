/** Who may do what. The front ends know the caller; here every change asks. */
import { ClusterError } from '@quiver/model';
import type { RequestContext } from './api.ts';

/** @throws ClusterError forbidden, in Qdrant's words */
export function requireFullAccess(context: RequestContext): void {
  if (context.access !== 'full') throw new ClusterError('forbidden', 'Global manage access is required');
}
