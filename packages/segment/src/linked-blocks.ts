/**
 * Which blocks with links of their own have all rows that a filter lets pass: found from the filter alone. Always: a filter
 * passes no row outside of the blocks that are answered.
 */
import type { LinkedBlock, PayloadLinksView } from '@quiver/ann';
import { parseUuid, type Condition, type Range } from '@quiver/model';
import type { FilterNode } from './filter-node.ts';

/** Neighbouring blocks of a field, and the rows in them. */
export interface RequiredBlocks {
  readonly field: number;
  readonly from: number;
  readonly count: number;
  readonly rows: number;
}

/** Those of the condition with fewest rows; null when none asks for a linked value. */
export function requiredBlocks(
  node: FilterNode | null,
  fields: readonly PayloadLinksView[],
): RequiredBlocks | null {
  if (node === null || fields.length === 0) return null;
  if (node.kind === 'field') {
    const index = fields.findIndex(({ key, type }) => key === node.key && type === node.schema?.data_type);
    return index < 0 ? null : blocksOf(fields[index]!, index, node.condition);
  }
  const parts =
    node.kind === 'all' || (node.kind === 'some' && node.nodes.length === 1 && node.minCount === 1)
      ? node.nodes
      : [];
  let best: RequiredBlocks | null = null;
  for (const part of parts) {
    const found = requiredBlocks(part, fields);
    if (found !== null && (best === null || found.rows < best.rows)) best = found;
  }
  return best;
}

function blocksOf(
  { blocks, type }: PayloadLinksView,
  field: number,
  condition: Condition,
): RequiredBlocks | null {
  const has = testOf(type, condition);
  if (has === null) return null;
  const from = blocks.findIndex(has);
  if (from < 0) return null;
  let [end, rows] = [from, 0];
  while (end < blocks.length && has(blocks[end]!)) {
    rows += blocks[end]!.rows;
    end += 1;
  }
  return { field, from, count: end - from, rows };
}

/** Whether a block may have rows that the condition takes; null for conditions that links do not serve. */
function testOf(type: string, condition: Condition): ((block: LinkedBlock) => boolean) | null {
  switch (condition.kind) {
    case 'match': {
      const { value } = condition;
      if (type === 'integer')
        return typeof value === 'number' || typeof value === 'bigint'
          ? ({ from, to }) => from <= value && value <= to
          : null;
      const text = type === 'uuid' ? parseUuid(String(value)) : String(value);
      const isOfType = typeof value === (type === 'bool' ? 'boolean' : 'string');
      return isOfType && text !== null ? (block) => block.value === text : null;
    }
    case 'range':
      return type === 'integer' || type === 'float' ? overlaps(condition.range) : null;
    case 'datetime_range':
      return type === 'datetime' ? overlaps(condition.range) : null;
    default:
      return null;
  }
}

function overlaps({ gt, gte, lt, lte }: Range): (block: LinkedBlock) => boolean {
  const low = Math.max(gt ?? -Infinity, gte ?? -Infinity);
  const high = Math.min(lt ?? Infinity, lte ?? Infinity);
  return ({ from, to }) => to >= low && from <= high;
}
