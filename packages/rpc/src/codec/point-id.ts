/** `qdrant.PointId` and ids of the model. */
import { normalizeNumericId, parseUuid, type PointId } from '@quiver/model';
import type { ProtoWriter } from '../protobuf/writer.ts';
import { malformed } from './problems.ts';

export interface PointIdMessage {
  readonly num?: number | bigint;
  readonly uuid?: string;
}

/** @throws ClusterError malformed */
export function decodeId(message: PointIdMessage | undefined): PointId {
  if (message === undefined) throw malformed('Empty ID is not allowed');
  const { num, uuid } = message;
  if (uuid !== undefined) {
    const id = parseUuid(uuid);
    if (id === null) throw malformed(`Unable to parse UUID: ${uuid}`);
    return id;
  }
  if (num === undefined) throw malformed('No ID options provided');
  const id = typeof num === 'bigint' ? normalizeNumericId(num) : num;
  if (id === null) throw malformed(`Point id ${num} is out of range`);
  return id;
}

export function decodeIds(messages: readonly PointIdMessage[] | undefined): PointId[] {
  return (messages ?? []).map((message) => decodeId(message));
}

/** A field of type PointId. */
export function writeId(writer: ProtoWriter, field: number, id: PointId): void {
  writer.tag(field, 2);
  const start = writer.open();
  if (typeof id === 'string') {
    writer.tag(2, 2);
    writer.string(id);
  } else {
    writer.tag(1, 0);
    writer.int64(id);
  }
  writer.close(start);
}

/** The message as an object. */
export function idMessage(id: PointId): PointIdMessage {
  return typeof id === 'string' ? { uuid: id } : { num: id };
}
