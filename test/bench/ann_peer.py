"""One native engine behind lines of JSON: a peer of ann-peers.ts, which starts it and sends it the vectors' file.

Engines: hnswlib, faiss-sq8 (HNSW over 8-bit codes, refined from f32), usearch-i8, qdrant-edge-int8. One thread each.
A built index is kept under `cache` with what its build cost, so that a second run only searches.
"""

import json
import os
import shutil
import sys
import time

import numpy


class Hnswlib:
    package = "hnswlib"

    def __init__(self, config, base):
        import hnswlib

        self.index = hnswlib.Index(space="cosine" if config["cosine"] else "l2", dim=base.shape[1])

    def build(self, config, base, path):
        self.index.init_index(
            max_elements=len(base), M=config["m"], ef_construction=config["efConstruct"], random_seed=config["seed"]
        )
        self.index.add_items(base, num_threads=1)
        self.index.save_index(path)

    def load(self, config, base, path):
        self.index.load_index(path, max_elements=len(base))

    def prepare(self, queries, ef, k):
        self.index.set_ef(ef)
        return lambda: self.index.knn_query(queries, k=k, num_threads=1)[0]


class FaissSq8:
    package = "faiss-cpu"

    def __init__(self, config, base):
        import faiss

        self.faiss = faiss
        faiss.omp_set_num_threads(1)
        metric = faiss.METRIC_INNER_PRODUCT if config["cosine"] else faiss.METRIC_L2
        self.graph = faiss.IndexHNSWSQ(base.shape[1], faiss.ScalarQuantizer.QT_8bit, config["m"], metric)
        self.metric = metric

    def build(self, config, base, path):
        self.graph.hnsw.efConstruction = config["efConstruct"]
        self.graph.train(base)
        self.graph.add(base)
        self.faiss.write_index(self.graph, path)
        self.refine(base)

    def load(self, config, base, path):
        self.graph = self.faiss.read_index(path)
        self.refine(base)

    def refine(self, base):
        self.flat = self.faiss.IndexFlat(base.shape[1], self.metric)
        self.flat.add(base)
        self.index = self.faiss.IndexRefine(self.graph, self.flat)

    def prepare(self, queries, ef, k):
        params = self.faiss.IndexRefineSearchParameters(
            k_factor=2, base_index_params=self.faiss.SearchParametersHNSW(efSearch=max(ef, 2 * k))
        )
        return lambda: self.index.search(queries, k, params=params)[1]


class UsearchI8:
    package = "usearch"
    recipe = "-bytes"

    def __init__(self, config, base):
        from usearch.index import Index

        # Made of floats, bytes are 127ths of a vector of length one: too coarse for long vectors, and lengths are lost.
        self.scale = 127 / numpy.abs(base).max()
        self.index = Index(
            ndim=base.shape[1],
            metric="cos" if config["cosine"] else "l2sq",
            dtype="i8",
            connectivity=config["m"],
            expansion_add=config["efConstruct"],
        )

    def build(self, config, base, path):
        self.index.add(numpy.arange(len(base)), self.scaled(base), threads=1)
        self.index.save(path)

    def scaled(self, values):
        return numpy.rint(values * self.scale).clip(-128, 127).astype(numpy.int8)

    def load(self, config, base, path):
        self.index.load(path)

    def prepare(self, queries, ef, k):
        self.index.expansion_search = ef
        scaled = self.scaled(queries)
        return lambda: self.index.search(scaled, k, threads=1).keys


class QdrantEdgeInt8:
    package = "qdrant-edge-py"

    def __init__(self, config, base):
        import qdrant_edge as edge

        self.edge = edge
        self.config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(
                size=base.shape[1], distance=edge.Distance.Cosine if config["cosine"] else edge.Distance.Euclid
            ),
            hnsw_config=edge.HnswIndexConfig(
                m=config["m"], ef_construct=config["efConstruct"], full_scan_threshold=10, max_indexing_threads=1
            ),
            quantization_config=edge.ScalarQuantizationConfig(type=edge.ScalarType.Int8, always_ram=True),
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, max_segment_size=100_000_000),
            max_search_threads=1,
            wal_enabled=False,
        )

    def build(self, config, base, path):
        shard = self.edge.EdgeShard.create(path, self.config)
        for start in range(0, len(base), 1000):
            points = [
                self.edge.Point(id=row, vector=base[row].tolist()) for row in range(start, min(len(base), start + 1000))
            ]
            shard.update(self.edge.UpdateOperation.upsert_points(points))
        while shard.optimize():
            pass
        shard.flush()
        shard.close()
        self.load(config, base, path)

    def load(self, config, base, path):
        self.shard = self.edge.EdgeShard.load(path, self.config)

    def prepare(self, queries, ef, k):
        edge = self.edge
        params = edge.SearchParams(
            hnsw_ef=ef, quantization=edge.QuantizationSearchParams(rescore=True, oversampling=1.5)
        )
        requests = [
            edge.SearchRequest(query=edge.Query.Nearest(row.tolist()), limit=k, params=params) for row in queries
        ]

        def run():
            found = [self.shard.search(request) for request in requests]
            return [[point.id for point in points] for points in found]

        return run


ENGINES = {
    "hnswlib": Hnswlib,
    "faiss-sq8": FaissSq8,
    "usearch-i8": UsearchI8,
    "qdrant-edge-int8": QdrantEdgeInt8,
}


def main() -> None:
    config = json.loads(sys.stdin.readline())
    vectors = numpy.fromfile(config["file"], dtype=numpy.float32).reshape(-1, config["dim"])
    base, queries = vectors[: config["rows"]], vectors[config["rows"] :]
    kind = ENGINES[config["engine"]]
    engine = kind(config, base)
    built = load_or_build(kind, engine, config, base)
    reply(built)
    for line in sys.stdin:
        ask = json.loads(line)
        run = engine.prepare(queries[ask["from"] : ask["to"]], ask["ef"], ask["k"])
        started, cpu = time.perf_counter(), time.process_time()
        found = run()
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - started
        rows = found if isinstance(found, list) else found.astype(int).tolist()
        reply({"seconds": seconds, "cpuSeconds": cpu, "rows": rows})


def load_or_build(kind, engine, config, base) -> dict:
    from importlib.metadata import version

    release = version(kind.package)
    recipe = getattr(kind, "recipe", "")
    name = f"{config['engine']}{recipe}-{release}-{config['set']}-{len(base)}-m{config['m']}-ef{config['efConstruct']}"
    folder = os.path.join(config["cache"], name)
    facts = os.path.join(folder, "build.json")
    path = os.path.join(folder, "index")
    if os.path.exists(facts):
        engine.load(config, base, path)
        with open(facts) as file:
            return {**json.load(file), "cached": True}
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    started, cpu = time.perf_counter(), time.process_time()
    engine.build(config, base, path)
    built = {
        "buildCpuSeconds": time.process_time() - cpu,
        "buildSeconds": time.perf_counter() - started,
        "version": release,
    }
    with open(facts, "w") as file:
        json.dump(built, file)
    return {**built, "cached": False}


def reply(message: dict) -> None:
    print(json.dumps(message), flush=True)


main()
