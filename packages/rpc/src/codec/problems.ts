/** What of a request is out of range, gathered so that one answer names all of it, in Qdrant's words. */
import { ClusterError } from '@quiver/model';

export class Problems {
  private readonly found: string[] = [];

  /** @param path - as "points[0].vectors" */
  add(path: string, text: string): void {
    this.found.push(`${path}: ${text}`);
  }

  /** Notes a value below `min`; an absent one is fine. */
  checkMin(value: number | bigint | undefined, min: number, path: string): void {
    if (value !== undefined && value < min)
      this.add(path, `value ${value} invalid, must be ${min} or larger`);
  }

  /** @throws ClusterError validation when there is any */
  check(): void {
    if (this.found.length > 0)
      throw new ClusterError('validation', `Validation error in body: [${this.found.join('; ')}]`);
  }
}

/** A message that cannot be understood. The text is the whole answer. */
export function malformed(text: string): ClusterError {
  return new ClusterError('malformed', text);
}

export function notSupported(what: string): ClusterError {
  return new ClusterError('bad_request', `${what} is not supported by this version`);
}

/** Limits and offsets: a u64 that is more than any number of points is as good as the largest safe integer. */
export function countOf(value: number | bigint): number {
  return typeof value === 'number' ? value : Number.MAX_SAFE_INTEGER;
}
