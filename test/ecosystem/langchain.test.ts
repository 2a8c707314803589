// LangChain JS's vector store, unchanged, over REST: add, search with a filter, delete.
import { Document } from '@langchain/core/documents';
import { Embeddings } from '@langchain/core/embeddings';
import { QdrantVectorStore } from '@langchain/qdrant';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { embedText } from './letter-embedding.ts';

class LetterEmbeddings extends Embeddings {
  constructor() {
    super({});
  }
  embedDocuments(texts: string[]): Promise<number[][]> {
    return Promise.resolve(texts.map(embedText));
  }
  embedQuery(text: string): Promise<number[]> {
    return Promise.resolve(embedText(text));
  }
}

let server: RunningServer;
beforeAll(async () => {
  server = await startQuiver();
});
afterAll(async () => {
  await server.stop();
});

test('a LangChain store adds documents, searches them with a filter and deletes them', async () => {
  const store = new QdrantVectorStore(new LetterEmbeddings(), {
    url: server.url,
    collectionName: 'langchain',
  });
  const texts = ['apple pie', 'apple tart', 'zebra crossing'];
  const documents = texts.map(
    (pageContent, i) => new Document({ pageContent, metadata: { kind: i < 2 ? 'food' : 'street', i } }),
  );
  await store.addDocuments(documents);

  const nearest = await store.similaritySearchWithScore('apple pie', 2);
  expect(nearest.map(([document]) => document.pageContent)).toEqual(['apple pie', 'apple tart']);
  expect(nearest[0]?.[1]).toBeCloseTo(1, 5);

  const streets = { must: [{ key: 'metadata.kind', match: { value: 'street' } }] };
  const filtered = await store.similaritySearch('apple pie', 3, streets);
  expect(filtered.map((document) => document.pageContent)).toEqual(['zebra crossing']);

  await store.delete({ filter: streets });
  const left = await store.similaritySearch('zebra crossing', 3);
  expect(left.map((document) => document.pageContent).sort()).toEqual(['apple pie', 'apple tart']);
});
