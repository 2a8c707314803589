/**
 * Messages between the copies of a shard, and between primaries while slots move, as bytes. Always: a frame names sender and receiver by replica number; changes
 * travel packed, their vectors as they lie in memory, and are packed once for all followers; an operation's changes are
 * checked against their content crc when they arrive.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | format (1) |
 * | 4 | 4 | replica that sends |
 * | 8 | 4 | replica that is meant |
 * | 12 | | message as plain data (@quiver/rpc), its `operations`, `records` and `changes` packed |
 */
import { ClusterError, type PointId, type Vector } from '@quiver/model';
import type { Message, Operation, OperationEntry, SlotMessage, StoredRecord } from '@quiver/replication';
import { decodePlain, encodePlain } from '@quiver/rpc';
import { contentCrcOf, vectorBytes, type OrderedChange } from './change.ts';
import { FrameReader, FrameWriter } from './frame-bytes.ts';
import { decodeVector, vectorParts } from './records.ts';
import type { RecordMessage } from './record-message.ts';
import type { RoomMessage } from './room-message.ts';
import type { SegmentMessage } from './segment-message.ts';

export type ReplicaMessage = Message<OrderedChange, PointId>;
/** Between copies of a shard, or between the primaries of two shards. */
export type FrameMessage =
  ReplicaMessage | SegmentMessage | RecordMessage | RoomMessage | SlotMessage<OrderedChange>;
type Record = StoredRecord<OrderedChange>;

export function isSlotMessage(message: FrameMessage): message is SlotMessage<OrderedChange> {
  return message.kind.startsWith('slot_');
}

export interface ReplicaFrame {
  readonly from: number;
  readonly to: number;
  /** Decodes; @throws ClusterError corruption or malformed */
  message(): FrameMessage;
}

const format = 1;
const headBytes = 12;

/** An operation is sent to several followers: its bytes are made once. */
const packedOperations = new WeakMap<object, Uint8Array>();

export function encodeReplicaFrame(from: number, to: number, message: FrameMessage): Uint8Array {
  const body = encodePlain(packed(message));
  const frame = Buffer.allocUnsafe(headBytes + body.length);
  frame.writeUInt32LE(format, 0);
  frame.writeUInt32LE(from, 4);
  frame.writeUInt32LE(to, 8);
  frame.set(body, headBytes);
  return frame;
}

/** @throws ClusterError corruption */
export function openReplicaFrame(bytes: Uint8Array): ReplicaFrame {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = frame.length < headBytes ? 0 : frame.readUInt32LE(0);
  if (found !== format)
    throw new ClusterError(
      'corruption',
      `a replication frame has format ${found}, this version reads ${format}`,
    );
  return {
    from: frame.readUInt32LE(4),
    to: frame.readUInt32LE(8),
    message: () => unpacked(decodePlain(frame.subarray(headBytes)) as PackedMessage),
  };
}

/** The same message with bytes in the place of changes. */
type PackedMessage = { readonly kind: string } & {
  readonly operations?: readonly (Uint8Array | OperationEntry)[];
  readonly records?: Uint8Array;
  readonly part?: { readonly kind: string; readonly changes?: Uint8Array };
};

function packed(message: FrameMessage): unknown {
  switch (message.kind) {
    case 'append':
      return { ...message, operations: message.operations.map(packOperation) };
    case 'chunk':
    case 'repair':
    case 'records_given':
      return { ...message, records: packRecords(message.records) };
    case 'slot_step': {
      const { part } = message;
      if (part.kind !== 'points') return message;
      return { ...message, part: { kind: part.kind, changes: packChanges(part.changes) } };
    }
    default:
      return message;
  }
}

function unpacked(message: PackedMessage): FrameMessage {
  switch (message.kind) {
    case 'append': {
      const operations = (message.operations as readonly Uint8Array[]).map(unpackOperation);
      return { ...message, operations } as unknown as ReplicaMessage;
    }
    case 'chunk':
    case 'repair':
    case 'records_given':
      return { ...message, records: unpackRecords(message.records!) } as unknown as ReplicaMessage;
    case 'slot_step': {
      const { part } = message;
      if (part?.changes === undefined) return message as unknown as FrameMessage;
      return {
        ...message,
        part: { ...part, changes: unpackChanges(part.changes) },
      } as unknown as FrameMessage;
    }
    default:
      return message as unknown as FrameMessage;
  }
}

function packOperation(operation: Operation<OrderedChange>): Uint8Array {
  const known = packedOperations.get(operation);
  if (known !== undefined) return known;
  const writer = new FrameWriter(256 + sizeOf(operation.changes));
  writer.u64(operation.seq);
  writer.u64(operation.term);
  writer.flag(operation.operationKey !== null);
  writer.text(operation.operationKey ?? '');
  writer.u64(operation.wallMs);
  writer.text(operation.receipt);
  writer.bytes(encodePlain(operation.adopted));
  writer.list(operation.changes, (change) => writeChange(writer, change));
  const bytes = writer.done();
  packedOperations.set(operation, bytes);
  return bytes;
}

function unpackOperation(bytes: Uint8Array): Operation<OrderedChange> {
  const reader = new FrameReader(bytes);
  const [seq, term, isNamed, operationKey, wallMs, receipt] = [
    reader.u64(),
    reader.u64(),
    reader.flag(),
    reader.text(),
    reader.u64(),
    reader.text(),
  ];
  const adopted = decodePlain(reader.bytes()) as OperationEntry[];
  const changes = reader.list(() => readChange(reader));
  reader.end();
  for (const change of changes) checkContent(change, `operation ${seq}`);
  return { seq, term, operationKey: isNamed ? operationKey : null, wallMs, receipt, changes, adopted };
}

/** @throws ClusterError corruption */
function checkContent(change: OrderedChange, where: string): void {
  if (change.kind === 'delete') return;
  const crc = contentCrcOf(change.payload, change.vectors);
  if (crc !== change.contentCrc)
    throw new ClusterError(
      'corruption',
      `point ${change.id} of ${where} has crc ${crc}, not ${change.contentCrc}`,
    );
}

function packChanges(changes: readonly OrderedChange[]): Uint8Array {
  const writer = new FrameWriter(64 + sizeOf(changes));
  writer.list(changes, (change) => writeChange(writer, change));
  return writer.done();
}

function unpackChanges(bytes: Uint8Array): OrderedChange[] {
  const reader = new FrameReader(bytes);
  const changes = reader.list(() => readChange(reader));
  reader.end();
  for (const change of changes) checkContent(change, 'a slot that moves');
  return changes;
}

function packRecords(records: readonly Record[]): Uint8Array {
  const writer = new FrameWriter(64 + sizeOf(records.map(({ change }) => change)));
  writer.list(records, ({ seq, ordinal, term, change }) => {
    writer.u64(seq);
    writer.u32(ordinal);
    writer.u64(term);
    writeChange(writer, change);
  });
  return writer.done();
}

function unpackRecords(bytes: Uint8Array): Record[] {
  const reader = new FrameReader(bytes);
  const records = reader.list(() => {
    const [seq, ordinal, term] = [reader.u64(), reader.u32(), reader.u64()];
    return { seq, ordinal, term, change: readChange(reader) };
  });
  reader.end();
  return records;
}

function writeChange(writer: FrameWriter, change: OrderedChange): void {
  writer.flag(change.kind === 'delete');
  writer.pointId(change.id);
  writer.list(change.removed, (name) => writer.text(name));
  if (change.kind === 'delete') return;
  writer.u32(change.contentCrc);
  writer.list(change.kept, (name) => writer.text(name));
  writer.bytes(change.payload);
  writer.list([...change.vectors], ([name, vector]) => {
    writer.text(name);
    const { value, tail } = vectorParts(vector);
    writer.u32(value.length + tail.length);
    writer.align4();
    writer.raw(value);
    writer.raw(tail);
  });
}

function readChange(reader: FrameReader): OrderedChange {
  const isDeletion = reader.flag();
  const id = reader.pointId();
  const removed = reader.list(() => reader.text());
  if (isDeletion) return { kind: 'delete', id, removed };
  const contentCrc = reader.u32();
  const kept = reader.list(() => reader.text());
  const payload = reader.bytes();
  const vectors = new Map<string, Vector>(
    reader.list(() => {
      const name = reader.text();
      const length = reader.u32();
      reader.align4();
      return [name, decodeVector(reader.raw(length))] as const;
    }),
  );
  return { kind: 'put', id, payload, vectors, kept, removed, contentCrc };
}

function sizeOf(changes: readonly OrderedChange[]): number {
  let bytes = 0;
  for (const change of changes) {
    bytes += 64;
    if (change.kind === 'delete') continue;
    bytes += change.payload.length;
    for (const vector of change.vectors.values()) bytes += 32 + vectorBytes(vector);
  }
  return bytes;
}
