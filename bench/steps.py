"""Training steps of a method: `unseen bench METHOD` against forms of PyTorch, interleaved in one run;
shared by the comparisons of single methods.

The engine and PyTorch take turns; the ratios are medians over the pairs, because shared machines
change their speed. Without PyTorch the engine runs alone.
"""
import argparse
import os
import statistics
import time

import figures


def torch_ms(model, steps):
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        model.step()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def compare(torch, method, shape, make_peers, precisions, rounds=7, steps=30, beside=None):
    """`shape` is {option: number} of `unseen bench METHOD`; make_peers() gives {name: model with
    step()}. `beside`: another method of the engine, run on the same shape as one more peer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=figures.count, default=rounds)
    parser.add_argument("--steps", type=figures.count, default=steps)
    parser.add_argument("--threads", type=figures.count, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=figures.writable, help="also write the results to this file")
    args = parser.parse_args()
    peers = {}
    if torch:
        torch.set_num_threads(args.threads)
        peers = figures.measured(make_peers())
    for model in peers.values():
        torch_ms(model, 3)
    engine = {precision: [] for precision in precisions}
    others = {name: [] for name in peers}
    options = [word for option, number in shape.items() for word in ("--" + option, str(number))]

    def run(name, precision):
        return figures.run([args.program, "bench", name, *options, "--steps", str(args.steps), "--precision",
                            precision, "--threads", str(args.threads), "--json", "-", "--quiet"])

    other = {precision: [] for precision in precisions}
    for _ in range(args.rounds):
        for precision, runs in engine.items():
            runs.append(run(method, precision))
            if beside:
                other[precision].append(run(beside, precision)["step_ms"]["median"])
        for name, model in peers.items():
            others[name].append(torch_ms(model, args.steps))
    probes = [r["probe_gflops"] for runs in engine.values() for r in runs]
    print(f"{method.upper()}, " + ", ".join(f"{number} {option}" for option, number in shape.items())
          + f", {args.threads} threads, {args.rounds} rounds of {args.steps} steps, {figures.version(torch)}")
    print("GEMM probe, GFLOP/s: "
          + ", ".join(f"{t} {figures.spread([p[t] for p in probes], '.0f')}" for t in ("f32", "bf16")))
    for name, times in others.items():
        print(f"  PyTorch {name:11s} {statistics.median(times):7.2f} ms a step")
    entries = []
    for precision, runs in engine.items():
        times = [r["step_ms"]["median"] for r in runs]
        everybody = {**others, f"unseen's {beside}": other[precision]} if beside else others
        entries.append(figures.entry(f"{method.upper()} step, --precision {precision}", "ms", runs, times,
                                     everybody, runs[0]["gflops"] * times[0] * 1e6,
                                     figures.batch_bytes(runs[0]) + figures.STEP_BYTES * runs[0]["parameters"]))
        print(f"  unseen {precision:12s} {statistics.median(times):7.2f} ms a step")
        for name in everybody:
            who = name if name not in others else f"PyTorch {name}"
            print(f"      {figures.spread(figures.ratios(entries[-1], name), '5.2f')} x {who}")
    if args.json:
        figures.write(args.json, torch, args.threads, entries)
