"""Differential test: the same random calls to two servers (or qdrant-client's local mode), every answer compared.

    python main.py --first :memory: --second http://127.0.0.1:6333 --cases 2000 --seed 1 [--indexes] [--grpc PORT]

A case is one compared answer: a read after random writes, or an error. Differences that are known and explained have a
name (`explain`); none may change the ids returned. Any other difference is printed with its seed and makes the exit 1.
"""

import argparse
import collections
import sys
import warnings

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from compare import by_id, in_order, plain, ranked, record, same
from generate import Generator

warnings.filterwarnings("ignore")
NAME = "differential"


class Failure:
    """An error answer; equal to any other of its class (local mode raises ValueError where a server says 4xx)."""

    def __init__(self, error):
        self.error = error
        self.status = getattr(error, "status_code", None)
        if hasattr(error, "code") and callable(error.code):
            self.status = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "ALREADY_EXISTS": 409}.get(error.code().name, 500)

    def __repr__(self):
        return f"{type(self.error).__name__}({self.status}): {str(self.error)[:300]}"


def attempt(call):
    try:
        return call()
    except (UnexpectedResponse, ValueError, AssertionError, KeyError, RuntimeError) as error:
        return Failure(error)
    except Exception as error:
        if hasattr(error, "code"):
            return Failure(error)
        raise


class Run:
    def __init__(self, args):
        self.args = args
        self.clients = [connect(args.first, None), connect(args.second, args.grpc)]
        self.cases = 0
        self.unexplained = []
        self.explained = collections.Counter()
        self.errors = 0
        # Local mode merges below paths that are not objects otherwise than a server does.
        local = args.first == ":memory:"
        self.merge_keys = [None] if local else [None, None, "deep", "deep.items[]", "fresh.a", "kw"]

    def both(self, call):
        return [attempt(lambda: call(client)) for client in self.clients]

    def check(self, seed, step, what, answers, compare):
        self.cases += 1
        first, second = answers
        if isinstance(first, Failure) or isinstance(second, Failure):
            self.errors += 1
            if isinstance(first, Failure) and isinstance(second, Failure):
                if first.status in (None, second.status) or second.status is None:
                    return
            found = f"{first!r} != {second!r}" if isinstance(first, Failure) else f"answer {str(first)[:200]} != {second!r}"
        else:
            found = compare(first, second)
        if not found:
            return
        name = explain(what, found, self.args)
        if name:
            self.explained[name] += 1
        else:
            self.unexplained.append((seed, step, what, found))
            print(f"DIFFERENCE seed {seed} step {step}\n  {what}\n  {found}", flush=True)

    def collection(self, seed):
        gen = Generator(seed, local=self.args.first == ":memory:")
        sizes, config = gen.collection()
        for client in self.clients:
            attempt(lambda: client.delete_collection(NAME))
            client.create_collection(NAME, **config)
        if self.args.indexes:
            for field, schema in gen.random.sample(INDEXES, gen.random.randint(0, 5)):
                for client in self.clients:
                    client.create_payload_index(NAME, field, field_schema=schema, wait=True)
        for step in range(self.args.steps):
            if self.cases >= self.args.cases or len(self.unexplained) >= self.args.most:
                return
            for _ in range(gen.random.randint(1, 3)):
                self.write(gen, sizes, seed, step)
            for _ in range(2):
                self.read(gen, sizes, seed, step)

    def write(self, gen, sizes, seed, step):
        kind = gen.random.randrange(12)
        target = self.known(gen.some_ids()) if gen.maybe(0.6) else gen.filter()
        if target == []:
            return
        if kind <= 4:
            points = gen.points(sizes)
            call, what = (lambda c: c.upsert(NAME, points=points, wait=True)), f"upsert {points}"
        elif kind == 5:
            ids = target if isinstance(target, list) else models.FilterSelector(filter=target)
            call, what = (lambda c: c.delete(NAME, points_selector=ids, wait=True)), f"delete {target}"
        elif kind in (6, 7):
            payload, key = self.merged(gen.payload()), gen.pick(self.merge_keys)
            call, what = (lambda c: c.set_payload(NAME, payload=payload, points=target, key=key, wait=True)), f"set_payload {payload} at {key} on {target}"
        elif kind == 8:
            payload = gen.payload()
            call, what = (lambda c: c.overwrite_payload(NAME, payload=payload, points=target, wait=True)), f"overwrite {payload} on {target}"
        elif kind == 9:
            keys = gen.random.sample(["kw", "num", "deep.name", "deep.items[].n", "deep", "loc"], 2)
            call, what = (lambda c: c.delete_payload(NAME, keys=keys, points=target, wait=True)), f"delete_payload {keys} on {target}"
        elif kind == 10:
            call, what = (lambda c: c.clear_payload(NAME, points_selector=target, wait=True)), f"clear {target}"
        else:
            known = self.clients[0].scroll(NAME, limit=3, with_payload=False)[0]
            points = [models.PointVectors(id=p.id, vector=gen.vectors(sizes)) for p in known]
            points = [p for p in points if p.vector]
            if not points:
                return
            call, what = (lambda c: c.update_vectors(NAME, points=points, wait=True)), f"update_vectors {points}"
        answers = self.both(call)
        if any(isinstance(answer, Failure) for answer in answers):
            self.check(seed, step, what, answers, lambda a, b: None)

    def known(self, ids):
        """Of a change that names a missing point servers make the rest, local mode what came before: left out there."""
        if self.args.first != ":memory:":
            return ids
        there = {point.id for point in self.clients[0].retrieve(NAME, ids=ids, with_payload=False)}
        return [i for i in ids if i in there]

    def merged(self, payload):
        """Merging a null removes the key on a server and stores null in local mode: left out there."""
        local = self.args.first == ":memory:"
        return {key: value for key, value in payload.items() if value is not None or not local}

    def read(self, gen, sizes, seed, step):
        kind = gen.random.randrange(10)
        condition = gen.filter() if gen.maybe(0.8) else None
        selector = gen.selector()
        if kind <= 2:
            offset = gen.id() if gen.maybe(0.3) else None
            limit = gen.random.randint(1, 40)
            call = lambda c: c.scroll(NAME, scroll_filter=condition, limit=limit, offset=offset, with_payload=selector, with_vectors=gen_vectors)
            gen_vectors = gen.pick([True, False, False])
            compare = lambda a, b: same(in_order(a[0]), in_order(b[0])) or same(plain(a[1]), plain(b[1]), "next")
            what = f"scroll limit {limit} offset {offset} payload {selector} filter {condition}"
        elif kind == 3:
            call = lambda c: c.count(NAME, count_filter=condition, exact=True).count
            compare, what = same, f"count {condition}"
        elif kind == 4:
            ids = gen.some_ids(6)
            call = lambda c: c.retrieve(NAME, ids=ids, with_payload=selector, with_vectors=True)
            compare = lambda a, b: same(by_id(a), by_id(b))
            what = f"retrieve {ids} payload {selector}"
        elif kind == 5 and self.args.indexes is False and ":memory:" in self.args.first:
            return
        elif kind == 5:
            call = lambda c: c.facet(NAME, key="kw", facet_filter=condition, exact=True, limit=20)
            compare, what = facets, f"facet {condition}"
        else:
            using = gen.pick(list(sizes))
            query = gen.vector_of(sizes, using) if gen.maybe(0.8) else gen.id()
            limit, offset = gen.random.randint(1, 12), gen.pick([0, 0, 0, 2])
            threshold = gen.pick([None, None, 0.2, 0.8])
            call = lambda c: c.query_points(
                NAME, query=query, using=using or None, query_filter=condition, limit=limit, offset=offset,
                score_threshold=threshold, with_payload=selector, with_vectors=False,
                search_params=models.SearchParams(exact=True),
            ).points
            compare = lambda a, b: ranked(a, b, offset)
            what = f"query {query} using {using!r} limit {limit} offset {offset} threshold {threshold} filter {condition}"
        self.check(seed, step, what, self.both(call), compare)


INDEXES = [
    ("kw", "keyword"), ("num", "integer"), ("flt", "float"), ("flag", "bool"), ("date", "datetime"), ("loc", "geo"),
    ("uid", "uuid"), ("deep.items[].n", "integer"), ("deep.name", "keyword"), ("mixed", "keyword"), ("deep.nums", "float"),
]


def connect(where, grpc):
    if where == ":memory:":
        return QdrantClient(":memory:")
    if grpc:
        return QdrantClient(url=where, grpc_port=grpc, prefer_grpc=True, timeout=60)
    return QdrantClient(url=where, timeout=60)


ZERO_COUNTS = "facet lists differ in values of count 0"


def facets(first, second):
    first, second = ([hit for hit in plain(facet)["hits"]] for facet in (first, second))
    some = [[hit for hit in hits if hit["count"] > 0] for hits in (first, second)]
    return same(some[0], some[1]) or (ZERO_COUNTS if len(first) != len(second) else None)


def explain(what, found, args):
    """The name of a known difference, or None. Local mode's own departures from the server it stands for."""
    if found == ZERO_COUNTS:
        return "a server's facet goes on listing values that no point has any more, with count 0"
    if args.first != ":memory:":
        return None
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", required=True)
    parser.add_argument("--second", required=True)
    parser.add_argument("--grpc", type=int)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="stop after so many unexplained differences")
    parser.add_argument("--indexes", action="store_true")
    args = parser.parse_args()
    run = Run(args)
    seed = args.seed
    while run.cases < args.cases and len(run.unexplained) < args.most:
        run.collection(seed)
        seed += 1
    for client in run.clients:
        attempt(lambda: client.delete_collection(NAME))
    for name, count in sorted(run.explained.items()):
        print(f"explained: {count:5d} {name}")
    print(f"seeds {args.seed}..{seed - 1}: {run.cases} cases, {run.errors} errors compared, {len(run.unexplained)} unexplained, {sum(run.explained.values())} explained in {len(run.explained)} classes")
    sys.exit(1 if run.unexplained else 0)


main()
