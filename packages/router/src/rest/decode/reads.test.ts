import { expect, test } from 'vitest';
import { decodeCount, decodeFacet, decodeRetrieve, decodeScroll } from './reads.ts';

test('null is "not said" only where Qdrant takes it', () => {
  expect(decodeScroll({ limit: null, filter: null, with_payload: null })).toMatchObject({
    limit: 10,
    withPayload: { kind: 'all' },
    withVector: { kind: 'none' },
  });
  expect(decodeFacet({ key: 'k', exact: null }).exact).toBe(false);
  expect(() => decodeCount({ exact: null })).toThrow('invalid type: null, expected a boolean');
  const vectors = 'Expected a boolean, or an array of strings';
  expect(() => decodeScroll({ with_vector: null })).toThrow(vectors);
  expect(() => decodeRetrieve({ ids: [1], with_vectors: null })).toThrow(vectors);
});
