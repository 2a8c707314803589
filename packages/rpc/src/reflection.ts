/**
 * Server reflection, v1 and v1alpha: which services and messages this server knows, as FileDescriptorProtos made from
 * the parsed .proto files.
 */
import protobuf from 'protobufjs';
import { fileDescriptors } from './protobuf/file-descriptor.ts';
import { fullName } from './protobuf/schema.ts';
import type { RpcService } from './server.ts';
import { publicSchema, publicServices, reflectionServices } from './services.ts';
import { grpcCode } from './status.ts';

interface ReflectionRequest {
  readonly host?: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
  readonly file_containing_extension?: object;
  readonly all_extension_numbers_of_type?: string;
  readonly list_services?: string;
}

export function reflectionService(version: 'v1' | 'v1alpha'): RpcService {
  const names = [...publicServices, ...Object.keys(reflectionServices)].sort();
  return {
    name: `grpc.reflection.${version}.ServerReflection`,
    handlers: {
      ServerReflectionInfo: (request: ReflectionRequest) => ({
        valid_host: request.host,
        original_request: request,
        ...answer(request, names),
      }),
    },
  };
}

function answer(request: ReflectionRequest, services: readonly string[]): object {
  const { file_by_filename: file, file_containing_symbol: symbol } = request;
  if (request.list_services !== undefined)
    return { list_services_response: { service: services.map((name) => ({ name })) } };
  if (file !== undefined) return files(file, file);
  if (symbol !== undefined) return files(fileOfSymbol(symbol), symbol);
  // Proto3 has no extensions but of options, and these files have none.
  if (request.all_extension_numbers_of_type !== undefined)
    return { all_extension_numbers_response: { base_type_name: request.all_extension_numbers_of_type } };
  return failure(grpcCode.notFound, 'unknown extension');
}

function files(name: string | null, asked: string): object {
  const all = fileDescriptors(publicSchema().root);
  const first = name === null ? undefined : all.get(name);
  if (first === undefined) return failure(grpcCode.notFound, `not found: ${asked}`);
  const needed = new Set<string>();
  const visit = (file: string): void => {
    if (needed.has(file)) return;
    needed.add(file);
    all.get(file)?.dependencies.forEach(visit);
  };
  visit(first.name);
  const bytes = [...needed].map((file) => all.get(file)?.bytes).filter((file) => file !== undefined);
  return { file_descriptor_response: { file_descriptor_proto: bytes } };
}

/** The file of a service, message, enum or method, or null. */
function fileOfSymbol(symbol: string): string | null {
  const { root } = publicSchema();
  const find = (name: string): protobuf.ReflectionObject | null => root.lookup(`.${name}`);
  let found = find(symbol);
  // A method or a field: its owner's file.
  found ??= find(symbol.slice(0, symbol.lastIndexOf('.')));
  if (found === null) return null;
  for (const [name, descriptor] of fileDescriptors(root))
    if (descriptor.symbols.some((known) => isWithin(fullName(found), known))) return name;
  return null;
}

function isWithin(name: string, symbol: string): boolean {
  return name === symbol || name.startsWith(`${symbol}.`);
}

function failure(code: number, text: string): object {
  return { error_response: { error_code: code, error_message: text } };
}
