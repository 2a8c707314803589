/** Checks that stand before every use case over gRPC, and the texts of REST's checks in gRPC's words. */
import { ClusterError } from '@quiver/model';
import { malformed, Problems } from '@quiver/rpc/codec';
import { collectionNameProblem } from '../resolve-name.ts';

/** The collection's name, noting what is wrong with it. @param path - '' or "search_points[0]." */
export function collectionName(
  message: { readonly collection_name?: string },
  path: string,
  problems: Problems,
): string {
  const name = message.collection_name ?? '';
  const problem = collectionNameProblem(name);
  // Only an empty or overlong name is refused for reading; what else cannot exist is not found.
  if (problem !== null) problems.add(`${path}collection_name`, problem);
  return name;
}

/** As `collectionName`, when there is nothing else to check. @throws ClusterError validation */
export function checkedName(message: { readonly collection_name?: string }): string {
  const problems = new Problems();
  const name = collectionName(message, '', problems);
  problems.check();
  return name;
}

/** Runs a decoder that REST uses too; its errors lose the words "JSON". */
export function inGrpcWords<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    if (error.code === 'validation')
      throw new ClusterError('validation', error.message.replace(' in JSON body: ', ' in body: '));
    if (error.code === 'malformed')
      throw malformed(error.message.replace(/^Format error in JSON body: /, ''));
    throw error;
  }
}
