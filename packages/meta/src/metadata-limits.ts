/**
 * How much operators may keep under `/cluster/metadata`. Pure. All of it is in every snapshot, in the hash of every state
 * and in every answer about the cluster, so it is for settings and marks, not for data. Always: looked at before it is
 * logged; what is there already stays, and can be taken away.
 */
import { ClusterError, stringifyJson, type JsonValue } from '@quiver/model';

export const metadataKeysMax = 1_024;
export const metadataKeyBytesMax = 256;
/** As JSON text. */
export const metadataValueBytesMax = 64 << 10;
/** Keys and values together. */
export const metadataBytesMax = 1 << 20;

/**
 * @param value - null takes the key away
 * @throws ClusterError bad_request
 */
export function checkMetadata(
  metadata: ReadonlyMap<string, JsonValue>,
  key: string,
  value: JsonValue | null,
): void {
  if (value === null) return;
  const [keyBytes, valueBytes] = [Buffer.byteLength(key), bytesOf(value)];
  if (keyBytes > metadataKeyBytesMax)
    throw refusal(`a key has ${metadataKeyBytesMax} bytes at most, this one ${keyBytes}`);
  if (valueBytes > metadataValueBytesMax)
    throw refusal(`a value has ${metadataValueBytesMax} bytes of JSON at most, this one ${valueBytes}`);
  if (!metadata.has(key) && metadata.size >= metadataKeysMax)
    throw refusal(`there are ${metadata.size} keys of ${metadataKeysMax} already; take some away`);
  let before = 0;
  let others = 0;
  for (const [name, one] of metadata) {
    const bytes = Buffer.byteLength(name) + bytesOf(one);
    if (name === key) before = bytes;
    else others += bytes;
  }
  const own = keyBytes + valueBytes;
  if (others + own > metadataBytesMax && own > before)
    throw refusal(
      `all keys and values have ${metadataBytesMax} bytes at most, with this one ${others + own}`,
    );
}

function bytesOf(value: JsonValue): number {
  return Buffer.byteLength(stringifyJson(value));
}

function refusal(text: string): ClusterError {
  return new ClusterError('bad_request', `cluster metadata: ${text}`);
}
