/**
 * Membership changes as entry data.
 *
 *   version 1 (EntryConfChange):    [format u8 = 1] [type u8] [node id varint] [context bytes]
 *   version 2 (EntryConfChangeV2):  [format u8 = 1] [transition u8] [count varint] count x ([type u8] [node id varint])
 *                                   [context bytes]
 *
 * Always: no data at all means "leave the joint configuration" in version 2, so that a leader's own proposal to leave
 * has no size; every other form is decoded only if encoding it again gives the same bytes.
 */
import { ByteReader, ByteWriter } from './byte-codec.ts';
import {
  asV2,
  confChangeTransitions,
  confChangeTypes,
  isV2,
  leaveJointChange,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeV2,
} from './conf-change.ts';
import { noBytes, type Proposal } from './message.ts';

const format = 1;

export function encodeConfChange(change: ConfChange): Proposal {
  const writer = new ByteWriter();
  writer.u8(format);
  if (!isV2(change)) {
    writeSingle(writer, change);
    writer.bytes(change.context ?? noBytes);
    return { type: 'EntryConfChange', data: writer.done() };
  }
  writer.u8(confChangeTransitions.indexOf(change.transition));
  writer.varint(change.changes.length);
  for (const single of change.changes) writeSingle(writer, single);
  writer.bytes(change.context);
  return { type: 'EntryConfChangeV2', data: writer.done() };
}

/**
 * Either version, as version 2.
 * @throws {RaftError} corruption
 */
export function decodeConfChange({ type, data }: Proposal): ConfChangeV2 {
  if (type === 'EntryConfChangeV2' && data.length === 0) return leaveJointChange;
  const reader = new ByteReader(data, 'conf change');
  if (type === 'EntryNormal') reader.fail('is in a normal entry');
  const version = reader.u8();
  if (version !== format) reader.fail(`has format ${version}, known is ${format}`);
  if (type === 'EntryConfChange') {
    const single = readSingle(reader);
    const context = reader.bytes();
    reader.end();
    return asV2({ ...single, context });
  }
  const transition = reader.oneOf(confChangeTransitions, 'transition');
  const changes = Array.from({ length: reader.count() }, () => readSingle(reader));
  const context = reader.bytes();
  reader.end();
  return { transition, changes, context };
}

function writeSingle(writer: ByteWriter, { type, nodeId }: ConfChangeSingle): void {
  writer.u8(confChangeTypes.indexOf(type));
  writer.varint(nodeId);
}

function readSingle(reader: ByteReader): ConfChangeSingle {
  const type = reader.oneOf(confChangeTypes, 'change type');
  return { type, nodeId: reader.varint() };
}
