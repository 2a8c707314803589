"""Native scans behind lines of JSON, one thread: peers of kernels.ts, which starts this and sends it the vectors' file.

bandwidth: the fastest of numpy's sum, product with a vector (OpenBLAS) and copy (bytes read and written) over the f32 rows.
faiss: one query at a time over flat rows, f32, f16, u8 or four bits an element. usearch: exact search of i8.
"""

import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import faiss
import numpy
import usearch.index

faiss.omp_set_num_threads(1)
K = 10


def flat(index, base):
    if not index.is_trained:
        index.train(base[:20_000])
    index.add(base)
    return lambda query: index.search(query.reshape(1, -1), K)


def bandwidth(base, query):
    """A reader for each way to go through the rows; bytes that each moves."""
    copied = numpy.empty_like(base)
    return [
        (lambda: base.reshape(-1).sum(), base.nbytes),
        (lambda: base @ query, base.nbytes),
        (lambda: numpy.copyto(copied, base), 2 * base.nbytes),
    ]


def scan_of(kind, base):
    dim, quantizer = base.shape[1], faiss.ScalarQuantizer
    product = faiss.METRIC_INNER_PRODUCT
    if kind == "f32":
        return flat(faiss.IndexFlatIP(dim), base)
    if kind == "f16":
        return flat(faiss.IndexScalarQuantizer(dim, quantizer.QT_fp16, product), base)
    if kind == "u8":
        return flat(faiss.IndexScalarQuantizer(dim, quantizer.QT_8bit_direct, faiss.METRIC_L2), base)
    if kind in ("q4", "codes"):
        return flat(faiss.IndexScalarQuantizer(dim, quantizer.QT_4bit, product), base)
    rows = base.astype(numpy.int8)
    return lambda query: usearch.index.search(rows, query.astype(numpy.int8), K, "ip", exact=True, threads=1)


def timed(work, times):
    started = time.process_time()
    for i in range(times):
        work(i)
    return time.process_time() - started


def main() -> None:
    config = json.loads(sys.stdin.readline())
    vectors = numpy.fromfile(config["file"], dtype=numpy.float32).reshape(-1, config["dim"])
    scans = {}
    for line in sys.stdin:
        ask = json.loads(line)
        kind, rows, times = ask["kind"], ask["rows"], ask["times"]
        base, queries = vectors[:rows], vectors[-config["queries"] :]
        if kind == "bandwidth":
            best = max(
                bytes_moved * times / timed(lambda _, read=read: read(), times)
                for read, bytes_moved in bandwidth(base, queries[0])
            )
            print(json.dumps({"bytesPerSecond": best}), flush=True)
            continue
        if (kind, rows) not in scans:
            scans.clear()
            scans[kind, rows] = scan_of(kind, integers(kind, base))
        scan, asked = scans[kind, rows], integers(kind, queries)
        seconds = timed(lambda i: scan(asked[i % len(asked)]), times)
        print(json.dumps({"rowsPerSecond": rows * times / seconds}), flush=True)


def integers(kind, values):
    """Bytes as kernels.ts makes them of values of -1..1."""
    if kind == "u8":
        return numpy.trunc(numpy.clip(128 + 512 * values, 0, 255)).astype(numpy.float32)
    if kind == "i8":
        return numpy.trunc(numpy.clip(512 * values, -128, 127)).astype(numpy.float32)
    return values


main()
