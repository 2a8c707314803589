/**
 * How many rows of a segment pass a filter, without evaluating it: what plans choose by. Always min <= expected <= max,
 * and the true number of rows (dead ones included) lies between min and max.
 */
import type { FilterNode } from './filter-node.ts';
import { servingColumn, type FilterSource } from './filter-evaluate.ts';
import type { Cardinality } from './payload-index/column.ts';

export type EstimateSource = Pick<FilterSource, 'columns' | 'rowCount'>;

export function estimateFilter(node: FilterNode, source: EstimateSource): Cardinality {
  const total = source.rowCount;
  switch (node.kind) {
    case 'all':
      return estimateAll(
        node.nodes.map((child) => estimateFilter(child, source)),
        total,
      );
    case 'some':
      return estimateSome(
        node.nodes.map((child) => estimateFilter(child, source)),
        node.minCount,
        total,
      );
    case 'not': {
      const inner = estimateFilter(node.node, source);
      return { min: total - inner.max, expected: total - inner.expected, max: total - inner.min };
    }
    case 'ids': {
      const most = Math.min(total, node.ids.length);
      return { min: 0, expected: most, max: total };
    }
    case 'slots':
    case 'point':
      return unknown(total);
    case 'field':
      return servingColumn(node, source)?.estimate(node.condition) ?? unknown(total);
  }
}

function unknown(total: number): Cardinality {
  return { min: 0, expected: Math.floor(total / 2), max: total };
}

/** Conditions taken as independent; the bounds hold whatever they are. */
function estimateAll(parts: readonly Cardinality[], total: number): Cardinality {
  let [min, share, max] = [total, 1, total];
  for (const part of parts) {
    min = Math.max(0, min + part.min - total);
    share *= total === 0 ? 0 : part.expected / total;
    max = Math.min(max, part.max);
  }
  return bounded(min, share * total, max);
}

function estimateSome(parts: readonly Cardinality[], minCount: number, total: number): Cardinality {
  if (minCount <= 0) return { min: total, expected: total, max: total };
  if (minCount > parts.length) return { min: 0, expected: 0, max: 0 };
  let [missing, sum, most] = [1, 0, 0];
  for (const part of parts) {
    missing *= total === 0 ? 1 : 1 - part.expected / total;
    sum += part.max;
    most = Math.max(most, part.min);
  }
  // A row that passes at least minCount of them is counted that often in the sum.
  const max = Math.min(total, Math.floor(sum / minCount));
  if (minCount === 1) return bounded(most, (1 - missing) * total, max);
  const expectations = parts.map((part) => part.expected).sort((a, b) => b - a);
  return bounded(0, Math.min(max, expectations[minCount - 1]!), max);
}

function bounded(min: number, expected: number, max: number): Cardinality {
  return { min, expected: Math.min(max, Math.max(min, Math.round(expected))), max };
}
