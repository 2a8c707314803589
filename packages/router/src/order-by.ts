/** Which indexes ordering and faceting need. Qdrant's words. */
import { ClusterError, type CollectionRecord, type OrderBy, type PayloadFieldSchema } from '@quiver/model';

const documentation = 'https://qdrant.tech/documentation/concepts/indexing/#payload-index';

/** @throws ClusterError invalid_argument without an index that has an order */
export function checkOrderBy(record: CollectionRecord, orderBy: OrderBy): void {
  const schema = schemaOf(record, orderBy.key);
  const ranges =
    schema !== undefined &&
    (schema.data_type === 'float' ||
      schema.data_type === 'datetime' ||
      (schema.data_type === 'integer' && schema.params?.range !== false));
  if (ranges) return;
  throw new ClusterError(
    'invalid_argument',
    `No range index for \`order_by\` key: \`${orderBy.key}\`. Please create one to use \`order_by\`. ` +
      `Check ${documentation} to see which payload schemas support Range conditions`,
  );
}

/** @throws ClusterError invalid_argument without an index that counts values */
export function checkFacetKey(record: CollectionRecord, key: string): void {
  const schema = schemaOf(record, key);
  const counts =
    schema !== undefined &&
    (schema.data_type === 'keyword' ||
      schema.data_type === 'bool' ||
      schema.data_type === 'uuid' ||
      (schema.data_type === 'integer' && schema.params?.lookup !== false));
  if (counts) return;
  throw new ClusterError(
    'invalid_argument',
    `No appropriate index for faceting: \`${key}\`. Please create one to facet on this field. ` +
      `Check ${documentation} to see which payload schemas support Match conditions`,
  );
}

function schemaOf(record: CollectionRecord, key: string): PayloadFieldSchema | undefined {
  return Object.hasOwn(record.payloadSchema, key) ? record.payloadSchema[key] : undefined;
}
