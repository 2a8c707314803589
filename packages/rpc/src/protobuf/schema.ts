/**
 * The shape of messages as tables, read from .proto files once at start. Decoder, encoder and reflection walk them.
 * Always: map keys are strings and map values messages (all that Qdrant's API has); there are no extensions and no
 * groups. `qdrant.Value` stands for JSON text on our side of the codec, so its fields are never walked.
 */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { assert } from '@quiver/model';

export type ScalarKind =
  'double' | 'float' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool' | 'string' | 'bytes' | 'enum';

export interface FieldSchema {
  readonly name: string;
  readonly number: number;
  /** `json`: a `qdrant.Value` as JSON text; `json_map`: map<string, Value> as the text of a JSON object. */
  readonly kind: ScalarKind | 'message' | 'map' | 'json' | 'json_map';
  readonly repeated: boolean;
  /** Of `message`, and of the values of a `map`. */
  readonly message: MessageSchema | null;
  /** Names of the other members of its oneof. */
  readonly rivals: readonly string[];
  /** Written also when it has its default value: members of a oneof and `optional` fields. */
  readonly explicit: boolean;
}

export interface MessageSchema {
  readonly name: string;
  /** By field number; sparse. */
  readonly byNumber: readonly (FieldSchema | undefined)[];
  /** In the order of the file. */
  readonly fields: readonly FieldSchema[];
}

export interface MethodSchema {
  readonly name: string;
  /** "/qdrant.Points/Query" */
  readonly path: string;
  readonly request: MessageSchema;
  readonly response: MessageSchema;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

export interface Schema {
  /** By full name, as "qdrant.Points". */
  readonly services: ReadonlyMap<string, readonly MethodSchema[]>;
  readonly messages: ReadonlyMap<string, MessageSchema>;
  /** What was parsed; reflection describes it. */
  readonly root: protobuf.Root;
}

export const protoFolder = fileURLToPath(new URL('../../../../proto', import.meta.url));

/** @param files - paths relative to `folder`; imports are looked up there too */
export function loadSchema(folder: string, files: readonly string[]): Schema {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    protobuf.common.get(target) !== null ? target : `${folder}/${target}`;
  root.loadSync([...files], { keepCase: true });
  root.resolveAll();

  const messages = new Map<string, MessageSchema>();
  const messageOf = (type: protobuf.Type): MessageSchema => {
    const name = fullName(type);
    const known = messages.get(name);
    if (known !== undefined) return known;
    const fields: FieldSchema[] = [];
    const byNumber: (FieldSchema | undefined)[] = [];
    const schema = { name, fields, byNumber };
    messages.set(name, schema);
    for (const field of type.fieldsArray) {
      const made = fieldOf(field, messageOf);
      fields.push(made);
      byNumber[field.id] = made;
    }
    return schema;
  };

  const services = new Map<string, MethodSchema[]>();
  const visit = (namespace: protobuf.NamespaceBase): void => {
    for (const nested of namespace.nestedArray) {
      if (nested instanceof protobuf.Service) {
        const service = fullName(nested);
        services.set(
          service,
          nested.methodsArray.map((method) => ({
            name: method.name,
            path: `/${service}/${method.name}`,
            request: messageOf(resolved(method.resolvedRequestType)),
            response: messageOf(resolved(method.resolvedResponseType)),
            requestStream: method.requestStream ?? false,
            responseStream: method.responseStream ?? false,
          })),
        );
      } else if (nested instanceof protobuf.Type) messageOf(nested);
      if (nested instanceof protobuf.Namespace) visit(nested);
    }
  };
  visit(root);
  return { services, messages, root };
}

export function fullName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '');
}

function resolved(type: protobuf.Type | null): protobuf.Type {
  assert(type !== null, 'a type of the .proto files is not resolved');
  return type;
}

const scalars: readonly string[] = [
  'double',
  'float',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
  'bytes',
] satisfies ScalarKind[];

function fieldOf(field: protobuf.Field, messageOf: (type: protobuf.Type) => MessageSchema): FieldSchema {
  const base = {
    name: field.name,
    number: field.id,
    repeated: field.repeated,
    rivals: field.partOf?.oneof.filter((name) => name !== field.name) ?? [],
    explicit: field.partOf !== null,
  };
  const type = field.resolvedType;
  if (field instanceof protobuf.MapField) {
    assert(field.keyType === 'string', `map ${field.fullName} has keys of type ${field.keyType}`);
    assert(type instanceof protobuf.Type, `map ${field.fullName} has values that are no messages`);
    if (isValue(type)) return { ...base, kind: 'json_map', message: null };
    return { ...base, kind: 'map', message: messageOf(type) };
  }
  if (type instanceof protobuf.Type) {
    if (isValue(type)) return { ...base, kind: 'json', message: null };
    return { ...base, kind: 'message', message: messageOf(type) };
  }
  if (type instanceof protobuf.Enum) return { ...base, kind: 'enum', message: null };
  assert(scalars.includes(field.type), `field ${field.fullName} has type ${field.type}`);
  return { ...base, kind: field.type as ScalarKind, message: null };
}

function isValue(type: protobuf.Type): boolean {
  return type.fullName === '.qdrant.Value';
}
