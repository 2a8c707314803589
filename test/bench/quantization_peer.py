"""Flat faiss indexes for test/bench/quantization.ts: recall@10 at oversampling 1, 2 and 4, rescored exactly.

Arguments: file of f32 rows (base, then queries), dim, base rows, names of indexes. Prints a line for each index as soon as it is
measured: its name and recalls, as JSON. Training is faiss's own with its defaults: 25 iterations over all rows up to 65,536.
"""

import json
import sys

import faiss
import numpy as np

file, dim, rows, names = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
everything = np.fromfile(file, dtype=np.float32).reshape(-1, dim)
everything /= np.linalg.norm(everything, axis=1, keepdims=True)
base, queries = everything[:rows], everything[rows:]
exact = queries @ base.T
truth = [set(row) for row in np.argsort(-exact, axis=1, kind="stable")[:, :10]]

# As it comes, faiss 1.15.1 compares a sample of 30,000 with codewords of at most four elements one by one, in ten times the time
# that its matrix product takes. The codewords are as good either way.
faiss.cvar.distance_compute_blas_threshold = 20

# The composed index does not keep its parts alive.
kept = []


def index_of(name):
    """sq8, sq8/PERCENT kept, pqBYTES, lshBITS (signs; of random directions where more than dimensions), rabitqBITS/BITS of queries."""
    kind, _, option = name.partition("/")
    if kind == "sq8":
        index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2)
        if option:
            index.sq.rangestat = faiss.ScalarQuantizer.RS_quantiles
            index.sq.rangestat_arg = (1 - int(option) / 100) / 2
        return index
    if kind.startswith("pq"):
        return faiss.IndexPQ(dim, int(kind[2:]), 8, faiss.METRIC_L2)
    if kind.startswith("lsh"):
        bits = int(kind[3:])
        return faiss.IndexLSH(dim, bits, bits > dim, False)
    inner = faiss.IndexRaBitQ(dim, faiss.METRIC_L2, int(kind[6:]))
    inner.qb = int(option)
    rotation = faiss.RandomRotationMatrix(dim, dim)
    kept.extend([inner, rotation])
    return faiss.IndexPreTransform(rotation, inner)


def recalls(name):
    index = index_of(name)
    index.train(base)
    index.add(base)
    found = []
    for oversampling in (1, 2, 4):
        _, ids = index.search(queries, 10 * oversampling)
        hits = 0
        for query, candidates in enumerate(ids):
            best = candidates[np.argsort(-exact[query, candidates], kind="stable")][:10]
            hits += len(truth[query].intersection(best))
        found.append(hits / (10 * len(queries)))
    return found


for name in names:
    print(json.dumps([name, recalls(name)]), flush=True)
