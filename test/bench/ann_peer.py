"""hnswlib behind lines of JSON: the peer of ann-peers.ts, which starts it and sends it the vectors' file."""

import json
import sys
import time

import hnswlib
import numpy


def main() -> None:
    config = json.loads(sys.stdin.readline())
    dim = config["dim"]
    vectors = numpy.fromfile(config["file"], dtype=numpy.float32).reshape(-1, dim)
    base, queries = vectors[: config["rows"]], vectors[config["rows"] :]
    index = hnswlib.Index(space=config["space"], dim=dim)
    started = time.perf_counter()
    index.init_index(
        max_elements=len(base), M=config["m"], ef_construction=config["efConstruct"], random_seed=config["seed"]
    )
    index.add_items(base, num_threads=1)
    reply({"buildSeconds": time.perf_counter() - started, "version": hnswlib.__version__ if hasattr(hnswlib, "__version__") else "?"})
    for line in sys.stdin:
        ask = json.loads(line)
        part = queries[ask["from"] : ask["to"]]
        index.set_ef(ask["ef"])
        started = time.perf_counter()
        for _ in range(ask["repeat"]):
            labels, _distances = index.knn_query(part, k=ask["k"], num_threads=1)
        seconds = time.perf_counter() - started
        reply({"seconds": seconds / ask["repeat"], "rows": labels.astype(int).tolist()})


def reply(message: dict) -> None:
    print(json.dumps(message), flush=True)


main()
