/** The public services of /proto, read once per thread. */
import { assert } from '@quiver/model';
import {
  loadSchema,
  protoFolder,
  type MessageSchema,
  type MethodSchema,
  type Schema,
} from './protobuf/schema.ts';

export const publicServices = [
  'qdrant.Collections',
  'qdrant.Points',
  'qdrant.Snapshots',
  'qdrant.Qdrant',
  'grpc.health.v1.Health',
] as const;

export type ServiceName = (typeof publicServices)[number] | keyof typeof reflectionServices;

/** Version by name; both speak the same messages. */
export const reflectionServices = {
  'grpc.reflection.v1.ServerReflection': 'v1',
  'grpc.reflection.v1alpha.ServerReflection': 'v1alpha',
} as const;

const files = [
  'qdrant.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
];

let loaded: Schema | null = null;

/** Parsed on first use (some 30 ms). */
export function publicSchema(): Schema {
  loaded ??= loadSchema(protoFolder, files);
  return loaded;
}

export function serviceMethods(name: ServiceName): readonly MethodSchema[] {
  const methods = publicSchema().services.get(name);
  assert(methods !== undefined, `service ${name} is not in /proto`);
  return methods;
}

/** A message of package `qdrant` by its short name. */
export function messageSchema(name: string): MessageSchema {
  const schema = publicSchema().messages.get(`qdrant.${name}`);
  assert(schema !== undefined, `message qdrant.${name} is not in /proto`);
  return schema;
}
