"""Random collections, points, filters and operations, as qdrant-client's models. Everything comes from one Random."""

import random
import uuid

from qdrant_client import models

WORDS = ["red", "green", "blue", "Fast Car", "slow car", "a red fox", "", "ünïcode", "x"]
DATES = ["2021-03-04T05:06:07Z", "2022-01-01", "2020-12-31T23:59:59.5+02:00", "2023-06-15 12:00:00", "2021-03-04T05:06:07.123456Z"]
KEYS = ["kw", "num", "flt", "flag", "date", "loc", "txt", "uid", "mixed", "deep.name", "deep.items[].n", "deep.items[].s", "deep.nums", "items[0].n", "none"]
UIDS = ["550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"]


class Generator:
    def __init__(self, seed, local=False):
        self.random = random.Random(seed)
        # Without a text index a server looks for the whole text in any case, local mode for each word as it is written.
        self.text_keys = ["txt"] if local else ["txt", "kw"]
        self.texts = ["red", "fox", "lazy"] if local else ["red", "fox", "car", "jumps over", "lazy"]
        self.ids = [1, 2, 3, 7, 42, 1000, 2**40, 2**53 + 3, 2**63 + 11, 2**64 - 1] + list(range(100, 130))
        self.ids += [str(uuid.UUID(int=self.random.getrandbits(128))) for _ in range(6)]

    def pick(self, items):
        return self.random.choice(items)

    def maybe(self, p=0.5):
        return self.random.random() < p

    # -- collections

    def collection(self):
        distances = [models.Distance.COSINE, models.Distance.DOT, models.Distance.EUCLID, models.Distance.MANHATTAN]
        if self.maybe(0.5):
            size = self.pick([1, 3, 4, 17])
            return {"": size}, dict(vectors_config=models.VectorParams(size=size, distance=self.pick(distances)))
        sizes = {"a": self.pick([2, 4, 8]), "b": self.pick([3, 5])}
        config = {name: models.VectorParams(size=size, distance=self.pick(distances)) for name, size in sizes.items()}
        extra = {}
        if self.maybe(0.5):
            sizes["s"] = 0
            extra = dict(sparse_vectors_config={"s": models.SparseVectorParams()})
        return sizes, dict(vectors_config=config, **extra)

    # -- points

    def id(self):
        return self.pick(self.ids)

    def some_ids(self, most=5):
        return self.random.sample(self.ids, self.random.randint(1, most))

    def dense(self, size):
        return [round(self.random.uniform(-1, 1), 4) or 0.5 for _ in range(size)]

    def vector_of(self, sizes, name):
        if name == "s":
            indices = self.random.sample(range(20), self.random.randint(1, 6))
            return models.SparseVector(indices=indices, values=[round(self.random.uniform(0.1, 2), 3) for _ in indices])
        return self.dense(sizes[name])

    def vectors(self, sizes):
        if "" in sizes:
            return self.dense(sizes[""])
        return {name: self.vector_of(sizes, name) for name in sizes if self.maybe(0.8)}

    def number(self):
        return self.pick([0, 1, 2, 3, -5, 10, 1.5, -0.25, 3.0, 2**40])

    def geo(self):
        return {"lon": round(self.random.uniform(-179, 179), 3), "lat": round(self.random.uniform(-80, 80), 3)}

    def listed(self, make, none=True):
        roll = self.random.random()
        if roll < 0.6:
            return make()
        if roll < 0.85:
            return [make() for _ in range(self.random.randint(0, 3))]
        return None if none and roll < 0.93 else make()

    def payload(self):
        payload = {}
        if self.maybe(0.8):
            payload["kw"] = self.listed(lambda: self.pick(WORDS))
        if self.maybe(0.8):
            payload["num"] = self.listed(lambda: self.pick([0, 1, 2, 3, -5, 10, 7, 2**40]))
        if self.maybe(0.7):
            payload["flt"] = self.listed(self.number)
        if self.maybe(0.6):
            payload["flag"] = self.listed(lambda: self.maybe())
        if self.maybe(0.6):
            payload["date"] = self.listed(lambda: self.pick(DATES))
        if self.maybe(0.6):
            payload["loc"] = self.listed(self.geo)
        if self.maybe(0.6):
            payload["txt"] = self.listed(lambda: " ".join(self.random.sample(["red", "fox", "jumps", "over", "lazy", "dogs"], 3)))
        if self.maybe(0.4):
            payload["uid"] = self.listed(lambda: self.pick(UIDS))
        if self.maybe(0.5):
            payload["mixed"] = self.listed(lambda: self.pick(["1", 1, 1.0, True, "true", {"k": 1}, "red"]))
        if self.maybe(0.6):
            deep = {}
            if self.maybe():
                deep["name"] = self.pick(WORDS)
            if self.maybe():
                deep["nums"] = [self.number() for _ in range(self.random.randint(0, 3))]
            if self.maybe(0.7):
                deep["items"] = [self.item() for _ in range(self.random.randint(0, 3))]
            payload["deep"] = deep
        if self.maybe(0.3):
            payload["items"] = [self.item() for _ in range(self.random.randint(0, 2))]
        return payload

    def item(self):
        item = {}
        if self.maybe(0.8):
            item["n"] = self.random.randint(0, 4)
        if self.maybe(0.8):
            item["s"] = self.pick(["x", "y", "z"])
        if self.maybe(0.2):
            item["q"] = None
        return item

    def points(self, sizes, most=6):
        ids = self.random.sample(self.ids, self.random.randint(1, most))
        return [models.PointStruct(id=i, vector=self.vectors(sizes), payload=self.payload()) for i in ids]

    # -- filters

    def range(self):
        bounds = {}
        for bound in self.random.sample(["lt", "gt", "lte", "gte"], self.random.randint(1, 2)):
            bounds[bound] = self.pick([-5, 0, 1, 2, 2.5, 3, 10])
        return models.Range(**bounds)

    def condition(self, depth):
        kind = self.random.randrange(20)
        key = self.pick(KEYS)
        field = lambda key, **rest: models.FieldCondition(key=key, **rest)
        if kind == 0:
            return field(self.pick(["kw", "mixed", "deep.name", "deep.items[].s"]), match=models.MatchValue(value=self.pick(WORDS + ["y", "1"])))
        if kind == 1:
            return field(self.pick(["num", "mixed", "flt", "deep.items[].n", "items[0].n", "deep.nums"]), match=models.MatchValue(value=self.pick([0, 1, 2, 3, 7])))
        if kind == 2:
            return field(self.pick(["flag", "mixed"]), match=models.MatchValue(value=self.maybe()))
        if kind == 3:
            return field(self.pick(["kw", "mixed", "deep.items[].s"]), match=models.MatchAny(any=self.random.sample(WORDS, self.random.randint(0, 3))))
        if kind == 4:
            return field(self.pick(["num", "mixed"]), match=models.MatchAny(any=self.random.sample([0, 1, 2, 3, 7], 2)))
        if kind == 5:
            return field(self.pick(["kw", "mixed"]), match=models.MatchExcept(**{"except": self.random.sample(WORDS, self.random.randint(0, 3))}))
        if kind == 6:
            return field(self.pick(["num", "mixed"]), match=models.MatchExcept(**{"except": self.random.sample([0, 1, 2, 3], 2)}))
        if kind == 7:
            return field(self.pick(self.text_keys), match=models.MatchText(text=self.pick(self.texts)))
        if kind in (8, 9):
            return field(self.pick(["num", "flt", "mixed", "deep.nums", "deep.items[].n"]), range=self.range())
        if kind == 10:
            return field("date", range=models.DatetimeRange(**{self.pick(["gt", "gte", "lt", "lte"]): self.pick(["2021-03-04T05:06:07Z", "2022-01-01T00:00:00Z"])}))
        if kind == 11:
            a, b = self.geo(), self.geo()
            top, bottom = max(a["lat"], b["lat"]), min(a["lat"], b["lat"])
            return field("loc", geo_bounding_box=models.GeoBoundingBox(top_left={"lon": min(a["lon"], b["lon"]), "lat": top}, bottom_right={"lon": max(a["lon"], b["lon"]), "lat": bottom}))
        if kind == 12:
            return field("loc", geo_radius=models.GeoRadius(center=models.GeoPoint(**self.geo()), radius=self.pick([1e5, 1e6, 5e6, 1e7])))
        if kind == 13:
            ring = [(-100, -40), (100, -40), (100, 60), (-100, 60), (-100, -40)]
            return field("loc", geo_polygon=models.GeoPolygon(exterior=models.GeoLineString(points=[models.GeoPoint(lon=x, lat=y) for x, y in ring])))
        if kind == 14:
            return field(self.pick(["kw", "num", "deep.items", "none"]), values_count=models.ValuesCount(**{self.pick(["gt", "gte", "lt", "lte"]): self.random.randint(0, 3)}))
        if kind == 15:
            return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
        if kind == 16:
            return models.IsNullCondition(is_null=models.PayloadField(key=key))
        if kind == 17:
            return models.HasIdCondition(has_id=self.some_ids(8))
        if kind == 18:
            return models.NestedCondition(nested=models.Nested(key=self.pick(["deep.items", "items", "deep.items[]"]), filter=models.Filter(must=[field("n", range=models.Range(gte=self.random.randint(0, 3))), field("s", match=models.MatchValue(value=self.pick(["x", "y"])))])))
        return self.filter(depth + 1) if depth < 2 else field("kw", match=models.MatchValue(value="red"))

    def filter(self, depth=0):
        clauses = {}
        for clause, p in (("must", 0.6), ("should", 0.35), ("must_not", 0.35)):
            if self.maybe(p):
                clauses[clause] = [self.condition(depth) for _ in range(self.random.randint(1, 2))]
        if self.maybe(0.1):
            clauses["min_should"] = models.MinShould(conditions=[self.condition(depth) for _ in range(3)], min_count=self.random.randint(1, 2))
        return models.Filter(**clauses)

    def selector(self):
        roll = self.random.random()
        if roll < 0.5:
            return True
        if roll < 0.6:
            return False
        keys = self.random.sample(["kw", "num", "deep", "deep.name", "deep.items[].n", "loc", "none"], 2)
        if roll < 0.7:
            return keys
        if roll < 0.85:
            return models.PayloadSelectorInclude(include=keys)
        return models.PayloadSelectorExclude(exclude=keys)
