/** Which queries of a batch are answered side by side. */
import type { QueryRequest } from '@quiver/model';

/** Searches that scan the same rows at the same time read them from memory once; others wait for as many chunks. */
const togetherMax = 4;

/** Queries of a batch in groups that run side by side, in order. One with a filter is alone: the next may have the same, and finds it evaluated. */
export function togetherIn(requests: readonly QueryRequest[]): QueryRequest[][] {
  const groups: QueryRequest[][] = [];
  for (const request of requests) {
    const last = groups.at(-1);
    const joins = last !== undefined && last.length < togetherMax && last[0]!.filter === null;
    if (joins && request.filter === null) last.push(request);
    else groups.push([request]);
  }
  return groups;
}
