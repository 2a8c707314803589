"""Two answers to one call, compared: equal, or the first difference in words."""

import math


def plain(value):
    """Models, numbers and lists as comparable plain data."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def close(a, b, tolerance=2e-4):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def same(a, b, path=""):
    """None when equal; numbers may differ by rounding."""
    if isinstance(a, bool) or isinstance(b, bool):
        return None if a is b else f"{path}: {a!r} != {b!r}"
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if isinstance(a, int) and isinstance(b, int):
            return None if a == b else f"{path}: {a!r} != {b!r}"
        return None if close(a, b) else f"{path}: {a!r} != {b!r}"
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(set(a) | set(b), key=str):
            if key not in a or key not in b:
                return f"{path}.{key}: only in {'first' if key in a else 'second'}: {a.get(key, b.get(key))!r}"
            found = same(a[key], b[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{path}: {len(a)} entries != {len(b)}: {a!r} != {b!r}"[:600]
        for i, (x, y) in enumerate(zip(a, b)):
            found = same(x, y, f"{path}[{i}]")
            if found:
                return found
        return None
    return None if a == b else f"{path}: {a!r} != {b!r}"


def record(point):
    """What a point says, without its version; a sparse vector by index."""
    data = plain(point)
    vector = data.get("vector")
    if isinstance(vector, dict):
        for name, item in vector.items():
            if isinstance(item, dict) and "indices" in item:
                vector[name] = dict(sorted(zip(item["indices"], item["values"])))
    keep = {"id": data["id"], "payload": data.get("payload") or None, "vector": vector or None}
    return keep


def by_id(points):
    return sorted((record(point) for point in points), key=lambda r: (isinstance(r["id"], str), r["id"]))


def in_order(points):
    return [record(point) for point in points]


def ranked(first, second, offset=0):
    """Scored lists: the same scores in order, the same ids wherever scores are apart (a page may cut through a tie)."""
    if len(first) != len(second):
        return f"{len(first)} hits != {len(second)}: {[p.id for p in first]} != {[p.id for p in second]}"
    for i, (x, y) in enumerate(zip(first, second)):
        if not close(x.score, y.score):
            return f"hit {i}: score {x.score} (id {x.id}) != {y.score} (id {y.id})"
    lookup = {p.id: record(p) for p in second}
    last = first[-1].score if first else 0
    for x in first:
        if x.id not in lookup:
            if close(x.score, last) or (offset > 0 and close(x.score, first[0].score)):
                continue  # a tie at the cut
            return f"id {x.id} (score {x.score}) only in first: {[p.id for p in first]} != {[p.id for p in second]}"
        found = same(record(x), lookup[x.id], f"hit {x.id}")
        if found:
            return found
    return None
