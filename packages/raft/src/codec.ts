/**
 * Consensus as bytes, for the disk and the wire. Integrity is the host's: it puts a checksum around what it stores.
 *
 *   entry (no format byte of its own: it is the most frequent record; it lives inside a versioned record or key)
 *     [type u8] [term varint] [index varint] [length varint] [data]
 *   hard state     [format u8 = 1] [term varint] [vote varint] [commit varint]
 *   conf state     [format u8 = 1] then four lists [count varint] count x [id varint]: voters, learners, outgoing
 *                  voters, next learners; [autoLeave u8: 0 or 1]
 *   snapshot meta  [format u8 = 1] [index varint] [term varint] [conf state without format byte]
 *   message        [format u8 = 1] [body]
 *     body: [type u8] [flags u8] [to varint] [from varint] [term varint] [logTerm varint] [index varint]
 *           [commit varint] and, for each flag bit set, in this order:
 *             1 reject (no bytes) · 2 rejectHint varint · 4 vote varint · 8 context bytes
 *             16 snapshot: meta without format byte, data bytes · 32 [count varint] entries · 64 [count varint] bodies
 *
 * Always: decode(encode(x)) equals x; bytes that encode would not have written are refused (`corruption`).
 */
import { ByteReader, ByteWriter } from './byte-codec.ts';
import { entryBytes } from './entry-size.ts';
import {
  createMessage,
  entryTypes,
  messageTypes,
  type ConfState,
  type Entry,
  type EntryType,
  type HardState,
  type Message,
  type MessageType,
  type NodeId,
  type Snapshot,
  type SnapshotMeta,
} from './message.ts';

const format = 1;
const flag = { reject: 1, rejectHint: 2, vote: 4, context: 8, snapshot: 16, entries: 32, responses: 64 };
/** Responses hold no further responses. */
const depthMax = 1;

const entryTypeNumbers = new Map<EntryType, number>(entryTypes.map((type, i) => [type, i]));
const messageTypeNumbers = new Map<MessageType, number>(messageTypes.map((type, i) => [type, i]));

export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ByteWriter(entryBytes(entry));
  writeEntry(writer, entry);
  return writer.done();
}

export function decodeEntry(bytes: Uint8Array): Entry {
  return decode(bytes, 'log entry', readEntry);
}

export function encodeHardState(state: HardState): Uint8Array {
  const writer = versioned();
  writer.varint(state.term);
  writer.varint(state.vote);
  writer.varint(state.commit);
  return writer.done();
}

export function decodeHardState(bytes: Uint8Array): HardState {
  return decode(bytes, 'hard state', (reader) => {
    readFormat(reader);
    return { term: reader.varint(), vote: reader.varint(), commit: reader.varint() };
  });
}

export function encodeConfState(state: ConfState): Uint8Array {
  const writer = versioned();
  writeConfState(writer, state);
  return writer.done();
}

export function decodeConfState(bytes: Uint8Array): ConfState {
  return decode(bytes, 'conf state', (reader) => {
    readFormat(reader);
    return readConfState(reader);
  });
}

export function encodeSnapshotMeta(meta: SnapshotMeta): Uint8Array {
  const writer = versioned();
  writeSnapshotMeta(writer, meta);
  return writer.done();
}

export function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta {
  return decode(bytes, 'snapshot metadata', (reader) => {
    readFormat(reader);
    return readSnapshotMeta(reader);
  });
}

export function encodeMessage(message: Message): Uint8Array {
  const writer = versioned();
  writeMessage(writer, message);
  return writer.done();
}

/** Entry data, snapshot data and context are views into `bytes`: the caller gives them away. */
export function decodeMessage(bytes: Uint8Array): Message {
  return decode(bytes, 'message', (reader) => {
    readFormat(reader);
    return readMessage(reader, 0);
  });
}

function decode<T>(bytes: Uint8Array, what: string, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes, what);
  const value = read(reader);
  reader.end();
  return value;
}

function versioned(): ByteWriter {
  const writer = new ByteWriter();
  writer.u8(format);
  return writer;
}

function readFormat(reader: ByteReader): void {
  const version = reader.u8();
  if (version !== format) reader.fail(`has format ${version}, known is ${format}`);
}

function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.u8(entryTypeNumbers.get(entry.type)!);
  writer.varint(entry.term);
  writer.varint(entry.index);
  writer.bytes(entry.data);
}

function readEntry(reader: ByteReader): Entry {
  const type = reader.oneOf(entryTypes, 'entry type');
  return { term: reader.varint(), index: reader.varint(), type, data: reader.bytes() };
}

function writeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.varint(ids.length);
  for (const id of ids) writer.varint(id);
}

function readIds(reader: ByteReader): NodeId[] {
  return Array.from({ length: reader.count() }, () => reader.varint());
}

function writeConfState(writer: ByteWriter, state: ConfState): void {
  writeIds(writer, state.voters);
  writeIds(writer, state.learners);
  writeIds(writer, state.votersOutgoing);
  writeIds(writer, state.learnersNext);
  writer.u8(state.autoLeave ? 1 : 0);
}

function readConfState(reader: ByteReader): ConfState {
  return {
    voters: readIds(reader),
    learners: readIds(reader),
    votersOutgoing: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: reader.oneOf([false, true], 'truth value'),
  };
}

function writeSnapshotMeta(writer: ByteWriter, meta: SnapshotMeta): void {
  writer.varint(meta.index);
  writer.varint(meta.term);
  writeConfState(writer, meta.confState);
}

function readSnapshotMeta(reader: ByteReader): SnapshotMeta {
  return { index: reader.varint(), term: reader.varint(), confState: readConfState(reader) };
}

function readSnapshot(reader: ByteReader): Snapshot {
  return { meta: readSnapshotMeta(reader), data: reader.bytes() };
}

function flagsOf(message: Message): number {
  return (
    (message.reject ? flag.reject : 0) |
    (message.rejectHint !== 0 ? flag.rejectHint : 0) |
    (message.vote !== 0 ? flag.vote : 0) |
    (message.context.length > 0 ? flag.context : 0) |
    (message.snapshot !== null ? flag.snapshot : 0) |
    (message.entries.length > 0 ? flag.entries : 0) |
    (message.responses.length > 0 ? flag.responses : 0)
  );
}

function writeMessage(writer: ByteWriter, message: Message): void {
  const { snapshot, entries, responses } = message;
  writer.u8(messageTypeNumbers.get(message.type)!);
  writer.u8(flagsOf(message));
  writer.varint(message.to);
  writer.varint(message.from);
  writer.varint(message.term);
  writer.varint(message.logTerm);
  writer.varint(message.index);
  writer.varint(message.commit);
  if (message.rejectHint !== 0) writer.varint(message.rejectHint);
  if (message.vote !== 0) writer.varint(message.vote);
  if (message.context.length > 0) writer.bytes(message.context);
  if (snapshot !== null) {
    writeSnapshotMeta(writer, snapshot.meta);
    writer.bytes(snapshot.data);
  }
  if (entries.length > 0) {
    writer.varint(entries.length);
    for (const entry of entries) writeEntry(writer, entry);
  }
  if (responses.length > 0) {
    writer.varint(responses.length);
    for (const response of responses) writeMessage(writer, response);
  }
}

function readMessage(reader: ByteReader, depth: number): Message {
  const type = reader.oneOf(messageTypes, 'message type');
  const flags = reader.u8();
  const has = (bit: number): boolean => (flags & bit) !== 0;
  if (has(flag.responses) && depth >= depthMax) reader.fail('nests responses');
  const message = createMessage(type, {
    to: reader.varint(),
    from: reader.varint(),
    term: reader.varint(),
    logTerm: reader.varint(),
    index: reader.varint(),
    commit: reader.varint(),
    reject: has(flag.reject),
    rejectHint: has(flag.rejectHint) ? reader.varint() : 0,
    vote: has(flag.vote) ? reader.varint() : 0,
    ...(has(flag.context) ? { context: reader.bytes() } : {}),
    snapshot: has(flag.snapshot) ? readSnapshot(reader) : null,
    ...(has(flag.entries)
      ? { entries: Array.from({ length: reader.count() }, () => readEntry(reader)) }
      : {}),
    ...(has(flag.responses)
      ? { responses: Array.from({ length: reader.count() }, () => readMessage(reader, depth + 1)) }
      : {}),
  });
  // A flag over an empty value would make two encodings of one message.
  if (flagsOf(message) !== flags) reader.fail(`has flags ${flags} over other contents`);
  return message;
}
