/**
 * Catalogues as bytes between threads: whole, or as the difference between two. A difference costs what changed, not
 * what there is: creating 2,000 collections one by one sends each once.
 */
import { assert, type Catalogue, type CollectionRecord, type NodeRecord } from '@quiver/model';
import { decodeValue, encodeValue } from './command-codec.ts';

interface CatalogueForm {
  revision: number;
  collections: CollectionRecord[];
  aliases: [alias: string, collection: string][];
  nodes: NodeRecord[];
}
interface DeltaForm {
  from: number;
  revision: number;
  /** New or changed. */
  put: CollectionRecord[];
  removed: string[];
  /** All of them, or null when none changed. */
  aliases: [alias: string, collection: string][] | null;
  /** All of them, or null when none changed. */
  nodes: NodeRecord[] | null;
}

export function encodeCatalogue(catalogue: Catalogue): Uint8Array {
  const form: CatalogueForm = {
    revision: catalogue.revision,
    collections: [...catalogue.collections.values()],
    aliases: [...catalogue.aliases],
    nodes: [...catalogue.nodes.values()],
  };
  return encodeValue(form);
}

export function decodeCatalogue(bytes: Uint8Array): Catalogue {
  const form = decodeValue(bytes) as CatalogueForm;
  return {
    revision: form.revision,
    collections: new Map(form.collections.map((record) => [record.name, record])),
    aliases: new Map(form.aliases),
    nodes: nodeMap(form.nodes),
  };
}

/** REQUIRES: records that did not change are the same objects in both. */
export function catalogueDelta(previous: Catalogue, next: Catalogue): Uint8Array {
  const form: DeltaForm = {
    from: previous.revision,
    revision: next.revision,
    put: [...next.collections.values()].filter((record) => previous.collections.get(record.name) !== record),
    removed: [...previous.collections.keys()].filter((name) => !next.collections.has(name)),
    aliases: previous.aliases === next.aliases ? null : [...next.aliases],
    nodes: previous.nodes === next.nodes ? null : [...next.nodes.values()],
  };
  return encodeValue(form);
}

export function applyCatalogueDelta(current: Catalogue, bytes: Uint8Array): Catalogue {
  const delta = decodeValue(bytes) as DeltaForm;
  assert(delta.from === current.revision, `difference from ${delta.from} on revision ${current.revision}`);
  const collections = new Map(current.collections);
  for (const name of delta.removed) collections.delete(name);
  for (const record of delta.put) collections.set(record.name, record);
  return {
    revision: delta.revision,
    collections,
    aliases: delta.aliases === null ? current.aliases : new Map(delta.aliases),
    nodes: delta.nodes === null ? current.nodes : nodeMap(delta.nodes),
  };
}

function nodeMap(nodes: readonly NodeRecord[]): Map<number, NodeRecord> {
  return new Map(nodes.map((node) => [node.id, node]));
}
