/** Our .proto files against Qdrant's own: every public service, message and enum must be the same on the wire. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';

const ours = fileURLToPath(new URL('../../proto', import.meta.url));
const reference = fileURLToPath(new URL('../../../shared/reference/qdrant-contract/proto', import.meta.url));
const files = [
  'collections',
  'collections_service',
  'points',
  'points_service',
  'qdrant_common',
  'json_with_int',
  'snapshots_service',
  'health_check',
  'qdrant',
];
const services = [
  'qdrant.Collections',
  'qdrant.Points',
  'qdrant.Snapshots',
  'qdrant.Qdrant',
  'grpc.health.v1.Health',
];
const isAbsent = !existsSync(reference);
const reason = isAbsent ? ` (skipped: no reference at ../shared, ${files.length} files not compared)` : '';

function load(folder: string): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    protobuf.common.get(target) === null ? `${folder}/${target}` : target;
  root.loadSync(
    files.map((file) => `${file}.proto`),
    { keepCase: true },
  );
  root.resolveAll();
  return root;
}

/** Every message and enum that the public services reach, as JSON without comments. */
function reachable(root: protobuf.Root): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const visit = (object: protobuf.ReflectionObject | null): void => {
    if (object === null || object.fullName in found) return;
    if (object instanceof protobuf.Enum) found[object.fullName] = object.toJSON({ keepComments: false });
    else if (object instanceof protobuf.Type) {
      found[object.fullName] = object.toJSON({ keepComments: false });
      for (const field of object.fieldsArray) visit(field.resolvedType);
    }
  };
  for (const name of services) {
    const service = root.lookupService(name);
    found[`service ${name}`] = service.toJSON({ keepComments: false });
    for (const method of service.methodsArray) {
      visit(method.resolvedRequestType);
      visit(method.resolvedResponseType);
    }
  }
  return found;
}

test.skipIf(isAbsent)(`every public service and what it reaches is Qdrant's${reason}`, () => {
  const [mine, theirs] = [reachable(load(ours)), reachable(load(reference))];
  expect(Object.keys(theirs).length).toBeGreaterThan(240);
  expect(mine).toEqual(theirs);
});

test.skipIf(isAbsent)(`no message of ours is unknown to Qdrant${reason}`, () => {
  const names = (root: protobuf.Root): string[] =>
    (root.lookup('qdrant') as protobuf.Namespace).nestedArray.map((nested) => nested.name);
  const known = new Set(names(load(reference)));
  expect(names(load(ours)).filter((name) => !known.has(name))).toEqual([]);
});
