// LlamaIndex TS's vector store, unchanged, over REST: add, search with a filter, delete.
import { BaseEmbedding } from '@llamaindex/core/embeddings';
import { MetadataMode, TextNode } from '@llamaindex/core/schema';
import { VectorStoreQueryMode } from '@llamaindex/core/vector-store';
import { QdrantVectorStore } from '@llamaindex/qdrant';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { embedText } from './letter-embedding.ts';

class LetterEmbedding extends BaseEmbedding {
  // The base constructor is protected.
  // eslint-disable-next-line @typescript-eslint/no-useless-constructor
  constructor() {
    super();
  }
  override getTextEmbedding(text: string): Promise<number[]> {
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

test('a LlamaIndex store adds nodes, queries them with a filter and deletes a document', async () => {
  const store = new QdrantVectorStore({
    url: server.url,
    collectionName: 'llamaindex',
    embeddingModel: new LetterEmbedding(),
  });
  const texts = ['apple pie', 'apple tart', 'zebra crossing'];
  const nodes = texts.map(
    (text, i) =>
      new TextNode({ text, embedding: embedText(text), metadata: { kind: i < 2 ? 'food' : 'street' } }),
  );
  const ids = await store.add(nodes);
  expect(ids).toHaveLength(3);

  const ask = async (text: string, filters?: object): Promise<string[]> => {
    const found = await store.query({
      queryEmbedding: embedText(text),
      similarityTopK: 2,
      mode: VectorStoreQueryMode.DEFAULT,
      ...(filters === undefined ? {} : { filters }),
    } as Parameters<QdrantVectorStore['query']>[0]);
    return found.nodes?.map((node) => node.getContent(MetadataMode.NONE)) ?? [];
  };
  expect(await ask('apple pie')).toEqual(['apple pie', 'apple tart']);
  const streets = { filters: [{ key: 'kind', value: 'street', operator: '==' }] };
  expect(await ask('apple pie', streets)).toEqual(['zebra crossing']);

  const client = store.client();
  await client.delete('llamaindex', { wait: true, points: [ids[0] ?? ''] });
  expect(await ask('apple pie')).toEqual(['apple tart', 'zebra crossing']);
});
