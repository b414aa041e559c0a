#!/usr/bin/env python3
"""Pictures through a backbone: `unseen bench backbone` against PyTorch, interleaved in one run.

usage: backbone.py [UNSEEN] [--arch NAME] [--batch N] [--image-size N] [--rounds N] [--steps N] [--threads N]
                   [--json FILE]

Both run the network up to the region map and its mean, forward only, with random weights.
PyTorch runs, in eval mode and without gradients,
  NCHW f32                 the network as torchvision has it
  channels-last f32        the same in channels-last memory
  folded NCHW f32          batch norm folded into the convolutions
  folded channels-last f32
  NCHW bf16, channels-last bf16, folded channels-last bf16     under bf16 autocast
(ViT and Swin have no batch norm and no channels-last form: f32 and bf16 only). The engine runs in f32, as
`auto` chooses, and where that is f32 although the processor multiplies bf16 (MobileNetV2, for its
accuracy), in bf16 as well. "Best" is the
fastest of a round. The engine and PyTorch take turns; ratios are medians over the rounds, because shared
machines change their speed. Idle threads sleep on both sides (OMP_WAIT_POLICY=passive) unless the
environment says otherwise. Without UNSEEN the PyTorch half runs alone, without PyTorch the engine.
"""
import argparse
import os
import statistics

import figures

torch = figures.find_torch()
if torch:
    import backbone_networks as networks

ARCHITECTURES = ("resnet50", "resnet101", "resnet152", "mobilenet_v2", "vit_b_16", "swin_t", "swin_b")


def unseen_run(a, precision):
    command = [a.program, "bench", "backbone", "--json", "-", "--arch", a.arch, "--batch", str(a.batch),
               "--image-size", str(a.image_size), "--steps", str(a.steps), "--precision", precision,
               "--threads", str(a.threads), "--quiet"]
    return figures.run(command)


def precisions(a):
    """What the engine is measured in. bf16 by itself where `auto` does not take it and yet can."""
    if not a.program:
        return ()
    chosen = ["f32", "auto"]
    if figures.native_bf16() and unseen_run(a, "auto")["precision"] == "f32" \
            and unseen_run(a, "bf16")["precision"] == "bf16":
        chosen.append("bf16")
    return chosen


def moved(a, run):
    """Bytes of a batch: weights, of which the file has four a value, and pictures."""
    return run["weights_bytes"] * figures.element(run) / 4 + a.batch * a.image_size ** 2 * 3 * 4


def best_of(peers, others):
    """The fastest form of each round: of the network as published, and with all that can be folded."""
    best = {}
    for t, group in peers.items():
        plain = [n for n in group if "folded" not in n]
        best[f"best {t} as published"] = [min(r) for r in zip(*(others[n] for n in plain))]
        best[f"best {t}"] = [min(r) for r in zip(*(others[n] for n in group))]
    return best


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program", nargs="?")
    p.add_argument("--arch", default="resnet101", choices=ARCHITECTURES)
    p.add_argument("--threads", type=figures.count, default=len(os.sched_getaffinity(0)))
    p.add_argument("--json", type=figures.writable, help="also write the results to this file")
    for name, value in (("batch", 8), ("image-size", 224), ("rounds", 5), ("steps", 3)):
        p.add_argument("--" + name, type=figures.count, default=value)
    a = p.parse_args()
    peers = {}
    if torch:
        torch.set_num_threads(a.threads)
        peers = figures.measured(networks.make_peers(a))
    for group in peers.values():
        for peer in group.values():
            peer.ms(1)
    engine = {precision: [] for precision in precisions(a)}
    others = {name: [] for group in peers.values() for name in group}
    probes = {}
    for _ in range(a.rounds):
        for precision in engine:
            run = unseen_run(a, precision)
            engine[precision].append(run)
            for t in ("f32", "bf16"):
                probes.setdefault("unseen " + t, []).append(run["probe_gflops"][t])
        for t, dtype in figures.torch_types(torch).items():
            probes.setdefault("PyTorch " + t, []).append(figures.probe(torch, dtype))
        for group in peers.values():
            for name, peer in group.items():
                others[name].append(peer.ms(a.steps))
    best = best_of(peers, others)
    print(f"{a.arch}, {a.batch} pictures of {a.image_size} x {a.image_size}, {a.threads} threads "
          f"({os.environ['OMP_WAIT_POLICY'].lower()} waiting), {a.rounds} rounds of {a.steps} batches, "
          f"{figures.version(torch)}")
    print("GEMM probe, GFLOP/s: " + ", ".join(f"{name} {figures.spread(v, '.0f')}" for name, v in probes.items()))
    for name, times in others.items():
        print(f"  PyTorch {name:26s} {figures.spread(times, '.0f')} ms")
    entries = []
    for precision, runs in engine.items():
        times = [r["step_ms"]["median"] for r in runs]
        entries.append(figures.entry(f"{a.arch} batch {a.batch}, --precision {precision}", "ms", runs, times,
                                     best, runs[0]["gflop_per_image"] * 1e9 * a.batch,
                                     moved(a, runs[0])))
        print(f"  unseen {precision:27s} {figures.spread(times, '.0f')} ms, {runs[0]['precision']}, "
              f"{statistics.median(r['images_per_s'] for r in runs):.1f} images/s, "
              f"{statistics.median(r['gflops'] for r in runs):.0f} GFLOP/s")
        for name in best:
            print(f"      {figures.spread(figures.ratios(entries[-1], name), '.2f')} x PyTorch's {name}")
    if a.json:
        figures.write(a.json, torch, a.threads, entries)


if __name__ == "__main__":
    main()
