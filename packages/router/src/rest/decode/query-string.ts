/** Query strings: `wait`, `ordering`, `timeout`, `consistency`. Values are checked, also of what has no effect here. */
import { ClusterError } from '@quiver/model';
import type { ConsistencyLevel } from '../../api.ts';

export function parametersOf(queryString: string): URLSearchParams {
  return new URLSearchParams(queryString);
}

function malformedQuery(text: string): ClusterError {
  return new ClusterError('malformed', `Deserialize error in query parameters: ${text}`);
}

export function decodeWait(parameters: URLSearchParams): boolean {
  return decodeFlag(parameters, 'wait');
}

export function decodeFlag(parameters: URLSearchParams, name: string): boolean {
  const value = parameters.get(name);
  if (value === null || value === 'false') return false;
  if (value === 'true') return true;
  throw malformedQuery('provided string was not `true` or `false`');
}

const orderings = ['weak', 'medium', 'strong'];

/** Every write goes through the primary of its shard in one order: there is none that is weaker than `strong`. */
export function checkOrdering(parameters: URLSearchParams): void {
  const value = parameters.get('ordering');
  if (value !== null && !orderings.includes(value))
    throw malformedQuery(
      `unknown variant \`${value}\`, expected one of ${orderings.map((name) => `\`${name}\``).join(', ')}`,
    );
}

/** undefined: not said. */
export function decodeConsistency(parameters: URLSearchParams): ConsistencyLevel | undefined {
  const value = parameters.get('consistency');
  if (value === null) return undefined;
  if (value === 'majority' || value === 'quorum' || value === 'all') return value;
  if (!/^\d{1,9}$/.test(value) || Number(value) === 0)
    throw malformedQuery(`failed to deserialize read consistency query parameter value '${value}'`);
  return Number(value);
}

/**
 * Milliseconds, or null when the request does not say.
 * @param style - Qdrant refuses a zero of collection routes in its validation (422), of point routes while decoding (400)
 */
export function decodeTimeoutMs(
  parameters: URLSearchParams,
  style: 'validated' | 'nonzero' = 'nonzero',
): number | null {
  const value = decodeCount(parameters, 'timeout');
  if (value === null) return null;
  if (value === 0) {
    if (style === 'nonzero') throw malformedQuery('invalid value: integer `0`, expected a nonzero u64');
    const text = 'timeout: value 0 invalid, must be 1 or larger';
    throw new ClusterError('validation', `Validation error in query parameters: [${text}]`);
  }
  return value * 1_000;
}

export function decodeCount(parameters: URLSearchParams, name: string): number | null {
  const value = parameters.get(name);
  if (value === null) return null;
  if (value === '') throw malformedQuery('cannot parse integer from empty string');
  if (!/^\d{1,15}$/.test(value)) throw malformedQuery('invalid digit found in string');
  return Number(value);
}
