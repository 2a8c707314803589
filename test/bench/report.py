"""Tables and plots of the results of `npm run bench`: report.py RESULTS.jsonl FOLDER.

Writes tables.md and, as SVG and PNG, one plot of searches a second by recall for each data set and one of filtered search by filter.
"""

import json
import os
import sys

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({"svg.hashsalt": "quiver", "svg.fonttype": "none"})
import matplotlib.pyplot as plt  # noqa: E402

TARGETS = (0.9, 0.95, 0.99)


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file if line.startswith("{")]


def table(head, rows):
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in cells) + "\n"


def number(value):
    return f"{value:,.0f}" if isinstance(value, (int, float)) else "not reached"


def of(lines, **wanted):
    return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]


def sets_of(lines):
    return list(dict.fromkeys(line["set"] for line in of(lines, bench="ann", what="build")))


def ann_table(lines, name):
    rows = []
    for build in of(lines, bench="ann", what="build", set=name):
        found = {s["target"]: s for s in of(lines, bench="ann", what="search", set=name, name=build["name"])}
        cells = [build["name"]]
        for target in TARGETS:
            search = found.get(target, {})
            rate = search.get("qps_cpu")
            cells.append(number(rate) if rate is None else f"{number(rate)} (recall {search['recall']:.3f}, ef {search['ef']})")
        each = build.get("bytesPerVector")
        rows.append([*cells, f"{build['buildCpuSeconds']:.1f}", "" if each is None else number(each)])
    head = ["", *(f"searches/s at {target}" for target in TARGETS), "build, CPU s", "bytes a vector"]
    return f"## {name}, in process\n\n" + table(head, rows)


def other_tables(lines):
    kernels = of(lines, bench="kernels")
    if kernels:
        head = ["rows of", "rows", "million rows/s", "of bandwidth", "to native"]
        rows = [
            [k["kind"], number(k["rows"]), f"{k['rows_per_s'] / 1e6:.1f}", k["to_bandwidth"], f"{k['to_peer']} of {k['peer']}"]
            for k in kernels
        ]
        yield "## Scan kernels, 384 elements\n\n" + table(head, rows)
    searches = [line for line in of(lines, bench="rest-peers") if "protocol" in line and "per_s" in line]
    if searches:
        head = ["", "recall", "ef", "searches/s", "p50 ms", "p99 ms"]
        rows = [
            [
                f"{s['name']}, {s['target']}, {s['protocol']} x {s['connections']}",
                s["recall"],
                s["ef"],
                number(s["per_s"]),
                s["p50_ms"],
                s["p99_ms"],
            ]
            for s in searches
        ]
        yield "## Servers\n\n" + table(head, rows)
    filters = [line for line in of(lines, bench="filters") if "ratio" in line]
    if filters:
        head = ["filter", "share", "Quiver: recall, /s", "Qdrant: recall, /s", "ratio"]
        rows = [
            [
                f["filter"],
                f["share"],
                *(f"{f[side]['recall']}, {number(f[side]['per_s'])}" for side in ("quiver", "qdrant")),
                f["ratio"],
            ]
            for f in filters
        ]
        yield "## Filtered search\n\n" + table(head, rows)


def save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(os.path.join(folder, f"{name}.svg"), metadata={"Date": None})
    figure.savefig(os.path.join(folder, f"{name}.png"), dpi=120)
    plt.close(figure)


def plot_ann(lines, name, folder):
    curves = of(lines, bench="ann", what="curve", set=name)
    if not curves:
        return
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for curve in curves:
        points = [point for point in curve["points"] if point["recall"] >= 0.8]
        width = 2.4 if curve["name"] == "quiver" else 1.2
        axes.plot([p["recall"] for p in points], [p["qps_cpu"] for p in points], marker=".", lw=width, label=curve["name"])
    axes.set(xlabel="recall@10", ylabel="searches a second of CPU, one thread", yscale="log", title=name, xlim=(0.8, 1))
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    save(figure, folder, f"ann-{name}")


def plot_filters(lines, folder):
    filters = [line for line in of(lines, bench="filters") if "ratio" in line]
    if not filters:
        return
    figure, axes = plt.subplots(figsize=(9, 4.5))
    places = range(len(filters))
    for shift, side in ((-0.2, "quiver"), (0.2, "qdrant")):
        axes.bar([at + shift for at in places], [f[side]["per_s"] for f in filters], width=0.4, label=side)
    axes.set_xticks(list(places), [f["filter"] for f in filters], rotation=60, ha="right")
    axes.set(ylabel="searches a second over REST", yscale="log", title="filtered search, wordnet-minilm, recall@10 >= 0.95")
    axes.grid(True, axis="y", alpha=0.3)
    axes.legend()
    save(figure, folder, "filters")


def main():
    path, folder = sys.argv[1:]
    lines = read(path)
    parts = [ann_table(lines, name) for name in sets_of(lines)] + list(other_tables(lines))
    machine = of(lines, bench="machine")
    with open(os.path.join(folder, "tables.md"), "w") as file:
        file.write("\n".join([f"`{json.dumps(line)}`\n" for line in machine] + parts))
    for name in sets_of(lines):
        plot_ann(lines, name, folder)
    plot_filters(lines, folder)
    print(f"tables and plots: {os.path.abspath(folder)}", file=sys.stderr)


main()
