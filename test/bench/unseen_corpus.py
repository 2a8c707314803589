"""Embeds a corpus that no tuning of the engine has seen: one-line descriptions of Debian's packages, as a set beside the others.

    apt-cache dumpavail > available.txt
    python test/bench/unseen_corpus.py SHARED_DATA MODEL available.txt [TEXTS]

SHARED_DATA is the folder of minilm.py and sets.py, MODEL that of all-MiniLM-L6-v2 (both: data/README.md of the folder shared
beside the project). Writes debian-minilm into ${QUIVER_DATA_CACHE:-~/.cache/quiver-data}: 1,000 queries, the rest are rows.
Needs: numpy, onnx, onnxruntime, tokenizers.
"""
import os
import sys

shared, model, available = sys.argv[1:4]
wanted = int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 30
sys.path.insert(0, shared)
import minilm  # noqa: E402
import sets  # noqa: E402

texts, name = {}, None
with open(available, encoding="utf8") as lines:
    for line in lines:
        if line.startswith("Package: "):
            name = line[9:].strip()
        elif line.startswith("Description: ") or line.startswith("Description-en: "):
            # Packages of one source often share a description: one of them is kept.
            texts.setdefault(line.split(": ", 1)[1].strip(), name)

order = sets.np.random.default_rng(sets.SEED).permutation(len(texts))[:wanted]
items = list(texts.items())
chosen = [items[i] for i in order]
vectors = minilm.MiniLM(model).embed([text for text, _ in chosen])
payload = [{"id": i, "package": name, "text": text} for i, (text, name) in enumerate(chosen)]
queries, rows = payload[: sets.QUERIES], payload[sets.QUERIES :]
for i, row in enumerate(rows):
    row["id"] = i
cache = os.environ.get("QUIVER_DATA_CACHE") or os.path.expanduser("~/.cache/quiver-data")
sets.write_set(
    os.path.join(cache, "debian-minilm"),
    "debian-minilm",
    vectors[sets.QUERIES :].astype("<f4"),
    vectors[: sets.QUERIES].astype("<f4"),
    rows,
    queries,
    "cosine",
    {"source": "descriptions of Debian packages, all-MiniLM-L6-v2"},
)
