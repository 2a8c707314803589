/** From what a caller names to what is meant: collections, aliases, and the rules for names. */
import { ClusterError, type Catalogue, type CollectionRecord } from '@quiver/model';

const forbiddenCharacters = ['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u001f'];

/** The record behind a name or an alias. @throws ClusterError not_found */
export function collectionOf(catalogue: Catalogue, name: string): CollectionRecord {
  const record = findCollection(catalogue, name);
  if (record === undefined) throw new ClusterError('not_found', `Collection \`${name}\` doesn't exist!`);
  return record;
}

export function findCollection(catalogue: Catalogue, name: string): CollectionRecord | undefined {
  return catalogue.collections.get(name) ?? catalogue.collections.get(catalogue.aliases.get(name) ?? '');
}

/** What is wrong with a name for a new collection, or null. Qdrant's words. */
export function collectionNameProblem(name: string): string | null {
  const length = Array.from(name).length;
  if (length < 1 || length > 255)
    return `value ${JSON.stringify(name)} invalid, must be from 1 to 255 characters`;
  const bad = forbiddenCharacters.find((character) => name.includes(character));
  return bad === undefined ? null : `collection name cannot contain "${bad}" char`;
}

/** What is wrong with the name of a vector, or null. */
export function vectorNameProblem(name: string): string | null {
  const bad = forbiddenCharacters.find((character) => name.includes(character));
  if (bad !== undefined) return `vector name cannot contain "${bad}" char`;
  return new TextEncoder().encode(name).length > 200 ? 'vector name must be at most 200 bytes long' : null;
}
