/**
 * FileDescriptorProto (google/protobuf/descriptor.proto) of every parsed file, for reflection. Written by hand for what
 * these files use: messages, fields, oneofs, maps, enums, services; the field numbers below are descriptor.proto's.
 * Always: fields marked `optional` have the synthetic oneof that proto3 asks for, after the real ones.
 */
import protobuf from 'protobufjs';
import { fullName } from './schema.ts';
import { ProtoWriter } from './writer.ts';

export interface FileDescriptor {
  readonly name: string;
  readonly bytes: Buffer;
  readonly dependencies: readonly string[];
  /** Full names of what stands at the top of the file. */
  readonly symbols: readonly string[];
}

type TopLevel = protobuf.Type | protobuf.Enum | protobuf.Service;

const cache = new WeakMap<protobuf.Root, ReadonlyMap<string, FileDescriptor>>();

/** By file name, as "points.proto". */
export function fileDescriptors(root: protobuf.Root): ReadonlyMap<string, FileDescriptor> {
  const known = cache.get(root);
  if (known !== undefined) return known;
  const objects = new Map<string, TopLevel[]>();
  const visit = (namespace: protobuf.NamespaceBase): void => {
    for (const nested of namespace.nestedArray) {
      if (isTopLevel(nested)) {
        const file = fileNameOf(nested);
        objects.set(file, [...(objects.get(file) ?? []), nested]);
      } else if (nested instanceof protobuf.Namespace) visit(nested);
    }
  };
  visit(root);
  const made = new Map([...objects].map(([name, list]) => [name, describe(name, list)]));
  cache.set(root, made);
  return made;
}

function isTopLevel(object: protobuf.ReflectionObject): object is TopLevel {
  return (
    object instanceof protobuf.Type || object instanceof protobuf.Enum || object instanceof protobuf.Service
  );
}

/**
 * Without the folder it was read from. protobufjs keeps no file names for the well-known types it brings along; of
 * them only google.protobuf.Timestamp is used, whose file is named after it.
 */
function fileNameOf(object: protobuf.ReflectionObject): string {
  const path = object.filename;
  if (path === null) return `${object.fullName.slice(1).replaceAll('.', '/').toLowerCase()}.proto`;
  const folder = '/proto/';
  return path.slice(path.lastIndexOf(folder) + folder.length);
}

function topOf(object: protobuf.ReflectionObject): protobuf.ReflectionObject {
  return object.parent instanceof protobuf.Type ? topOf(object.parent) : object;
}

function describe(name: string, objects: readonly TopLevel[]): FileDescriptor {
  const writer = new ProtoWriter(4_096);
  const dependencies = new Set<string>();
  const use = (type: protobuf.ReflectionObject | null): void => {
    if (type === null) return;
    const file = fileNameOf(topOf(type));
    if (file !== name) dependencies.add(file);
  };
  text(writer, 1, name);
  const parent = objects[0]?.parent;
  text(writer, 2, parent === null || parent === undefined ? '' : fullName(parent));
  for (const object of objects) {
    if (object instanceof protobuf.Type)
      nested(writer, 4, () => {
        writeType(writer, object, use);
      });
    else if (object instanceof protobuf.Enum)
      nested(writer, 5, () => {
        writeEnum(writer, object);
      });
    else
      nested(writer, 6, () => {
        writeService(writer, object, use);
      });
  }
  for (const dependency of dependencies) text(writer, 3, dependency);
  text(writer, 12, 'proto3');
  return { name, bytes: writer.finish(), dependencies: [...dependencies], symbols: objects.map(fullName) };
}

type Use = (type: protobuf.ReflectionObject | null) => void;

function writeType(writer: ProtoWriter, type: protobuf.Type, use: Use): void {
  text(writer, 1, type.name);
  const oneofs = [
    ...type.oneofsArray.filter((oneof) => !isSynthetic(oneof)),
    ...type.oneofsArray.filter(isSynthetic),
  ];
  for (const field of type.fieldsArray)
    nested(writer, 2, () => {
      writeField(writer, field, oneofs, use);
    });
  for (const object of type.nestedArray) {
    if (object instanceof protobuf.Type)
      nested(writer, 3, () => {
        writeType(writer, object, use);
      });
    else if (object instanceof protobuf.Enum)
      nested(writer, 4, () => {
        writeEnum(writer, object);
      });
  }
  for (const field of type.fieldsArray)
    if (field instanceof protobuf.MapField)
      nested(writer, 3, () => {
        writeMapEntry(writer, field);
      });
  for (const oneof of oneofs)
    nested(writer, 8, () => {
      text(writer, 1, oneof.name);
    });
  for (const range of (type.reserved as typeof type.reserved | undefined) ?? [])
    if (Array.isArray(range))
      nested(writer, 9, () => {
        number(writer, 1, range[0] ?? 0);
        number(writer, 2, (range[1] ?? 0) + 1);
      });
}

function isSynthetic(oneof: protobuf.OneOf): boolean {
  return oneof.fieldsArray.length === 1 && oneof.fieldsArray[0]?.options?.['proto3_optional'] === true;
}

const labelOptional = 1;
const labelRepeated = 3;
const typeMessage = 11;
const typeEnum = 14;
const typeNumbers: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
};

function writeField(
  writer: ProtoWriter,
  field: protobuf.Field,
  oneofs: readonly protobuf.OneOf[],
  use: Use,
): void {
  const type = field.resolvedType;
  use(type);
  const isMap = field instanceof protobuf.MapField;
  text(writer, 1, field.name);
  number(writer, 3, field.id);
  number(writer, 4, field.repeated || isMap ? labelRepeated : labelOptional);
  if (isMap) {
    number(writer, 5, typeMessage);
    text(writer, 6, `.${fullName(field.parent!)}.${mapEntryName(field)}`);
  } else writeFieldType(writer, field);
  if (field.options?.['deprecated'] === true)
    nested(writer, 8, () => {
      number(writer, 3, 1);
    });
  if (field.partOf !== null) {
    number(writer, 9, oneofs.indexOf(field.partOf));
    if (isSynthetic(field.partOf)) number(writer, 17, 1);
  }
  text(writer, 10, protobuf.util.camelCase(field.name));
}

interface Typed {
  readonly type: string;
  readonly resolvedType: protobuf.Type | protobuf.Enum | null;
}

function writeFieldType(writer: ProtoWriter, field: Typed): void {
  const type = field.resolvedType;
  if (type === null) {
    number(writer, 5, typeNumbers[field.type] ?? 0);
    return;
  }
  number(writer, 5, type instanceof protobuf.Enum ? typeEnum : typeMessage);
  text(writer, 6, `.${fullName(type)}`);
}

/** "update_vectors" -> "UpdateVectorsEntry", as protoc names it. */
function mapEntryName(field: { readonly name: string }): string {
  const camel = protobuf.util.camelCase(field.name);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function writeMapEntry(writer: ProtoWriter, field: protobuf.MapField): void {
  text(writer, 1, mapEntryName(field));
  nested(writer, 2, () => {
    text(writer, 1, 'key');
    number(writer, 3, 1);
    number(writer, 4, labelOptional);
    number(writer, 5, typeNumbers[field.keyType] ?? 0);
  });
  nested(writer, 2, () => {
    text(writer, 1, 'value');
    number(writer, 3, 2);
    number(writer, 4, labelOptional);
    writeFieldType(writer, field);
  });
  nested(writer, 7, () => {
    number(writer, 7, 1); // map_entry
  });
}

function writeEnum(writer: ProtoWriter, object: protobuf.Enum): void {
  text(writer, 1, object.name);
  for (const [name, value] of Object.entries(object.values))
    nested(writer, 2, () => {
      text(writer, 1, name);
      number(writer, 2, value);
    });
}

function writeService(writer: ProtoWriter, service: protobuf.Service, use: Use): void {
  text(writer, 1, service.name);
  for (const method of service.methodsArray)
    nested(writer, 2, () => {
      const { resolvedRequestType: request, resolvedResponseType: response } = method;
      use(request);
      use(response);
      text(writer, 1, method.name);
      text(writer, 2, request === null ? '' : `.${fullName(request)}`);
      text(writer, 3, response === null ? '' : `.${fullName(response)}`);
      if (method.options?.['deprecated'] === true)
        nested(writer, 4, () => {
          number(writer, 33, 1);
        });
      if (method.requestStream === true) number(writer, 5, 1);
      if (method.responseStream === true) number(writer, 6, 1);
    });
}

function text(writer: ProtoWriter, field: number, value: string): void {
  writer.tag(field, 2);
  writer.string(value);
}

function number(writer: ProtoWriter, field: number, value: number): void {
  writer.tag(field, 0);
  writer.varint(value);
}

function nested(writer: ProtoWriter, field: number, write: () => void): void {
  writer.tag(field, 2);
  const start = writer.open();
  write();
  writer.close(start);
}
