#!/usr/bin/env python3
"""DUET mini-batches: `unseen bench duet` against PyTorch, interleaved in one run.

usage: duet.py [UNSEEN] [--image-layers N] [--text-layers N] [--rounds N] [--steps N] [--threads N]
               [--best] [--scaling] [--chunk N] [--json FILE]

The CUB preset from pixels: DeiT-B distilled (224 x 224 pixels, patches of 16), BERT-base (30522
words), one cross-modal layer, 312 attributes, 200 classes, mini-batches of 7; random weights; by
default 2 of the 12 layers on either side. A mini-batch is forward, losses and backward of one of
two kinds,
  masked   masked texts: grounding, attribute-level contrast of six pairs a picture, class losses
  prompt   the fixed prompt: partners of the same class, class-level contrast, class losses
and accumulation is counted out: Adam's step is timed by itself. PyTorch runs
  naive f32   as published: the pictures with their texts, then each group of six pairs by itself
              (padded to the longest of the six), every position through the head of masked words;
              backward group by group, which is the same sum in less memory
  best f32, best bf16   (--best) all that the engine folds and PyTorch can: each pair once, all
              pairs in one batch (--chunk N: N samples at a time), the head at masked words
              only; in f32 and under bf16 autocast
Texts are as long as the engine's: 26 groups of 12 attributes, a word each, of which a text has
7.5 %. "mixed" is 0.4 masked and 0.6 prompt (mask_pro). The engine and PyTorch take turns; ratios
are medians over the rounds, because shared machines change their speed. Idle threads sleep on both
sides (OMP_WAIT_POLICY=passive) unless the environment says otherwise. Without UNSEEN the PyTorch half
runs alone, without PyTorch the engine.

With UNSEEN the end computes, it does not measure, what an epoch of CUB at full depth takes
(7057 images, accumulate 10): the engine's products at full depth at the rate measured at this
depth; and on 64 cores by Amdahl's law from the speed of 1 and of 2 threads (--scaling).
"""
import argparse
import os
import statistics
import tempfile

import figures
from duet_shape import A, ACCUMULATE, B, DEPTH, H, IMAGES, INNER, KINDS, MASK_PRO, SIZE, TOKENS, WORDS

torch = figures.find_torch()
if torch:
    from duet_network import DUET, Peer


def write_vocabulary(path):
    """As many words as BERT-base has; those of the engine's generated attributes among them."""
    words = ["[PAD]"] + [f"[unused{i}]" for i in range(99)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += list("!#$%&()*+,-./:;<=>?@[]^_|~0123456789abcdefghijklmnopqrstuvwxyz")
    words += ["##" + c for c in "0123456789abcdefghijklmnopqrstuvwxyz"] + ["color"]
    words += [f"part{c}" for c in "abcdefghijklmnopqrstuvwxyz"] + [f"value{i}" for i in range(A)]
    words += [f"word{i}" for i in range(WORDS - len(words))]
    with open(path, "w") as f:
        f.write("\n".join(words) + "\n")


def unseen_run(a, precision, kind, threads=None):
    command = [a.program, "bench", "duet", "--json", "-", "--features", "3", "--regions", str(SIZE * SIZE),
               "--images", "300", "--steps", str(a.steps), "--warmup", str(a.warmup), "--scored", "1",
               "--precision", precision, "--threads", str(threads or a.threads), "--quiet"]
    sets = {"vocab": a.vocabulary, "accumulate": 1, "image_layers": a.image_layers,
            "text_layers": a.text_layers, "mask_pro": KINDS[kind], "threshold": 0.085}
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    r = figures.run(command)
    r["ms"] = r["step_ms"]["median"] - r["update_ms"]
    r["flops"] = r["gflops"] * r["step_ms"]["median"] * 1e6
    return r


def mixed(times):
    return [MASK_PRO * m + (1 - MASK_PRO) * p for m, p in zip(times["masked"], times["prompt"])]


def estimate(a, engine, scaling):
    """What an epoch at full depth would take; computed."""
    row = 2 * (4 * H * H + 2 * H * INNER)
    rows = {"masked": (42 * (TOKENS + 1), 42 * 137), "prompt": (14 * (TOKENS + 1), 14 * 106)}
    batches, updates = IMAGES // (B * ACCUMULATE) * ACCUMULATE, IMAGES // (B * ACCUMULATE)
    for precision, runs in engine.items():
        seconds = 0
        for kind, share in (("masked", MASK_PRO), ("prompt", 1 - MASK_PRO)):
            some = runs[kind]
            flops = statistics.median(r["flops"] for r in some)
            full = flops + 3 * row * ((DEPTH - a.image_layers) * rows[kind][0] +
                                      (DEPTH - a.text_layers) * rows[kind][1])
            seconds += batches * share * statistics.median(r["ms"] for r in some) / 1e3 * full / flops
        # Adam passes over all parameters; what either side lacks has 7 million a layer.
        update = statistics.median(r["update_ms"] for r in runs["prompt"]) / 1e3
        lacking = (2 * DEPTH - a.image_layers - a.text_layers) * row / 2
        seconds += updates * update * (1 + lacking / sum(p.numel() for p in a.model.parameters()))
        line = f"  unseen {precision:5s} {seconds / 3600:6.2f} h here"
        if precision in scaling:
            serial = max(0.0, min(1.0, 2 / scaling[precision] - 1))
            many = 1 / (serial + (1 - serial) / 64)
            line += (f"; 2 threads {scaling[precision]:.2f} x 1, so {100 * serial:.0f} % serial and 64 cores "
                     f"{many:.1f} x 1: {seconds * scaling[precision] / many / 3600:.2f} h")
        print(line)


def make_peers(a):
    if not torch:
        return {}
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    a.model = DUET(a.image_layers, a.text_layers)
    a.optimizer = torch.optim.Adam(a.model.parameters(), lr=3e-5)
    peers = {"naive f32": Peer(a, True)}
    if a.best:
        peers.update({"best f32": Peer(a, False), "best bf16": Peer(a, False, bf16=True)})
    return figures.measured(peers)


def entries_of(precision, runs, mine, others):
    """A result for each kind of mini-batch, and for their mixture."""
    found, one = [], runs["prompt"][0]
    moved = figures.batch_bytes(one) + figures.GRADIENT_BYTES * one["parameters"]
    for kind in KINDS:
        found.append(figures.entry(f"DUET {kind}, --precision {precision}", "ms", runs[kind], mine[kind],
                                   {name: theirs[kind] for name, theirs in others.items()},
                                   statistics.median(r["flops"] for r in runs[kind]), moved))
    flop = MASK_PRO * found[0]["flop"] + (1 - MASK_PRO) * found[1]["flop"]
    found.append(figures.entry(f"DUET mixed, --precision {precision}", "ms", runs["prompt"], mixed(mine),
                               {name: mixed(theirs) for name, theirs in others.items()}, flop, moved))
    return found


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program", nargs="?")
    p.add_argument("--threads", type=figures.count, default=len(os.sched_getaffinity(0)))
    p.add_argument("--best", action="store_true", help="also time PyTorch's best formulations")
    p.add_argument("--scaling", action="store_true", help="also time the engine with 1 thread")
    for name, value in (("image-layers", 2), ("text-layers", 2), ("rounds", 3), ("steps", 1), ("warmup", 1),
                        ("chunk", B)):
        p.add_argument("--" + name, type=figures.count, default=value)
    p.add_argument("--json", type=figures.writable, help="also write the results to this file")
    a = p.parse_args()
    peers = make_peers(a)
    engine = {e: {k: [] for k in KINDS} for e in ("f32", "auto")} if a.program else {}
    others = {name: {k: [] for k in KINDS} for name in peers}
    probes, updates, single, entries = {}, [], {e: [] for e in engine}, []
    with tempfile.TemporaryDirectory() as folder:
        a.vocabulary = os.path.join(folder, "vocab.txt")
        write_vocabulary(a.vocabulary)
        for peer in peers.values():
            peer.ms("prompt", a.warmup)
        for _ in range(a.rounds):
            for kind in KINDS:
                for precision in engine:
                    run = unseen_run(a, precision, kind)
                    engine[precision][kind].append(run)
                    for t in ("f32", "bf16"):
                        probes.setdefault("unseen " + t, []).append(run["probe_gflops"][t])
                    if a.scaling and kind == "prompt":
                        single[precision].append(unseen_run(a, precision, kind, 1)["ms"] / run["ms"])
                for name, peer in peers.items():
                    others[name][kind].append(peer.ms(kind, a.steps))
            if torch:
                updates.append(peers["naive f32"].update_ms())
            for t, dtype in figures.torch_types(torch).items():
                probes.setdefault("PyTorch " + t, []).append(figures.probe(torch, dtype))
    print(f"DUET, CUB preset, {a.image_layers} image and {a.text_layers} text layers of {DEPTH}, {a.threads} threads "
          f"({os.environ['OMP_WAIT_POLICY'].lower()} waiting), {a.rounds} rounds of {a.steps}, {figures.version(torch)}")
    print("GEMM probe, GFLOP/s: " + ", ".join(f"{name} {figures.spread(v, '.0f')}" for name, v in probes.items()))
    for name, times in others.items():
        print(f"  PyTorch {name:10s} " + ", ".join(f"{k} {figures.spread(v, '.0f')}" for k, v in times.items()) + " ms")
    if updates:
        print(f"  PyTorch Adam {figures.spread(updates, '.0f')} ms")
    for precision, runs in engine.items():
        mine = {k: [r["ms"] for r in v] for k, v in runs.items()}
        both = [r for v in runs.values() for r in v]
        print(f"  unseen {precision:11s} " + ", ".join(f"{k} {figures.spread(v, '.0f')}" for k, v in mine.items()) +
              f" ms, {statistics.median(r['gflops'] for r in runs['masked']):.0f} GFLOP/s masked; Adam "
              f"{figures.spread([r['update_ms'] for r in both], '.0f')} ms; {max(r['rss_anon_mib'] for r in both) / 1024:.1f} GiB")
        found = entries_of(precision, runs, mine, others)
        entries += found
        for name in others:
            print(f"      x PyTorch {name}: " +
                  ", ".join(f"{k} {figures.spread(figures.ratios(e, name), '.2f')}" for k, e in zip((*KINDS, "mixed"), found)))
    if a.json:
        figures.write(a.json, torch, a.threads, entries)
    if engine and torch:
        scaling = {e: statistics.median(v) for e, v in single.items() if v}
        print(f"computed, not measured: an epoch of CUB, {IMAGES} images, at full depth at these rates")
        estimate(a, engine, scaling)


if __name__ == "__main__":
    main()
