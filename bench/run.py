#!/usr/bin/env python3
"""All speed comparisons with PyTorch, one after the other: one file of results, and one table.

usage: run.py UNSEEN [--rounds N] [--quick] [--only WORD ...] [-o NAME]

Writes NAME.json and NAME.txt (default unseen-bench). Before each comparison and after the last one the
program measures the ceilings of the machine, `unseen bench ceilings`: bare f32 and bf16 loops,
memory read, written, and written past the caches. The table has, of each operation, the median of
the rounds and what they spread over; the ratio to each form of PyTorch, the median of the ratios of
rounds; and the shares of two ceilings: operations of products a second over the best bare loop of the
same precision, and bytes a second that have to come from memory or go to it over memory that is read
(the least: each array once, nothing between layers). --quick runs one round of one step of the smaller comparisons, about a minute: whether
all runs, not how fast. Where PyTorch is not installed the program runs alone. PyTorch's bf16 is left out
where the processor has no instructions for it; UNSEEN_BENCH_TORCH_BF16=1 or =0 in the environment forces
it in or out (figures.py).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import figures

HERE = os.path.dirname(os.path.abspath(__file__))
COMPARISONS = {
    "dem": ["dem.py"],
    "cnzsl": ["cnzsl.py"],
    "msdn": ["msdn.py"],
    "dedn": ["dedn.py"],
    "resnet101": ["backbone.py", "--arch", "resnet101"],
    "vit_b_16": ["backbone.py", "--arch", "vit_b_16"],
    "swin_b": ["backbone.py", "--arch", "swin_b", "--batch", "4"],
    "mobilenet_v2": ["backbone.py", "--arch", "mobilenet_v2"],
    "duet": ["duet.py", "--best", "--scaling"],
}
QUICK = ("dem", "cnzsl", "msdn", "mobilenet_v2")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("--rounds", type=figures.count, help="rounds of each comparison (default: its own)")
    p.add_argument("--quick", action="store_true", help="one round of one step of the smaller ones")
    p.add_argument("--only", nargs="+", choices=COMPARISONS, help="these comparisons only")
    p.add_argument("--threads", type=figures.count, default=len(os.sched_getaffinity(0)))
    p.add_argument("-o", "--output", default="unseen-bench", help="NAME of NAME.json and NAME.txt")
    a = p.parse_args()
    folder = os.path.dirname(a.output) or "."
    if not os.access(folder, os.W_OK):
        p.error(f"cannot write into {folder}")
    if not os.access(a.program, os.X_OK):
        p.error(f"{a.program} is no program")
    chosen = a.only or (QUICK if a.quick else COMPARISONS)
    extra = ["--threads", str(a.threads)]
    if a.rounds or a.quick:
        extra += ["--rounds", str(a.rounds or 1)]
    if a.quick:
        extra += ["--steps", "1"]
    ceilings, parts = [], []

    def measure_ceilings():
        ceilings.append(figures.run([a.program, "bench", "ceilings", "--threads", str(a.threads),
                                     "--json", "-", "--quiet"]))

    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            measure_ceilings()
            part = os.path.join(folder, name + ".json")
            script, *words = COMPARISONS[name]
            print(f"== {name}", flush=True)
            done = subprocess.run([sys.executable, os.path.join(HERE, script), a.program, *words, *extra,
                                   "--json", part], check=False)
            if done.returncode:
                raise SystemExit(f"{script} ended with {done.returncode}; nothing is written")
            with open(part) as f:
                parts.append(json.load(f))
    measure_ceilings()
    document = figures.document(ceilings, parts)
    if a.quick:
        document["notes"].append("--quick: whether all runs; for figures run without it")
    text = figures.table(document)
    with open(a.output + ".json", "w") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
    with open(a.output + ".txt", "w") as f:
        f.write(text + "\n")
    print(f"\n{text}\n\nwritten: {a.output}.json and {a.output}.txt; bench/compare shows two such files "
          "side by side")


if __name__ == "__main__":
    main()
