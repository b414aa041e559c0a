#!/usr/bin/env python3
"""MSDN training steps and scoring: `unseen bench msdn` against PyTorch, interleaved in one run.

usage: msdn.py [UNSEEN] [--rounds N] [--steps N] [--threads N] [--attributes A ...] [--published]
               [--json FILE]

Both do the same step: a random batch of region maps, both attention branches, all losses,
backward, RMSprop with weight decay and momentum. PyTorch runs
  naive f32        one einsum a projection over (B, F, R) maps, normalised in the step
  published f32    the same with the products the published code makes and never uses (--published)
  folded f32       one (4A, F) product for the four projections, maps normalised and laid out before
  folded bf16      the same under bf16 autocast, maps stored in bf16
so naive is the code people run and folded the best PyTorch can be made to do. The network is the
one of tests/reference/msdn_reference.py, which is checked against golden data. The engine and
PyTorch take turns; ratios are medians over the pairs, because shared machines change their speed.
Idle threads sleep on both sides (OMP_WAIT_POLICY=passive, a short OPENBLAS_THREAD_TIMEOUT) unless
the environment says otherwise: spinning threads cost up to half the speed when other jobs run.
Without UNSEEN the PyTorch half runs alone, without PyTorch the engine.
"""
import argparse
import os
import statistics
import sys
import time

import figures

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "reference"))

torch = figures.find_torch()
if torch:
    import msdn_reference as reference

LAMBDA, ETA, LR, MOMENTUM, DECAY = 0.1, 1e-3, 1e-4, 0.9, 1e-4


def make_data(a):
    g = torch.Generator().manual_seed(1)
    x = torch.rand(a.images, a.features, a.regions, generator=g)
    x *= torch.rand(a.images, a.features, a.regions, generator=g) < 0.5
    seen = torch.tensor([c for c in range(a.classes) if c % 4 != 3])
    unit = torch.nn.functional.normalize(x, dim=1).transpose(1, 2).contiguous()
    return {"raw": x, "unit": unit, "unit bf16": unit.bfloat16(), "seen": seen,
            "labels": seen[torch.randint(0, len(seen), (a.images,), generator=g)],
            "att": torch.rand(a.classes, a.attributes, generator=g) * 0.1,
            "words": torch.randn(a.attributes, a.vectors, generator=g)}


class Peer:
    def __init__(self, a, data, form, bf16=False, dead=False):
        self.batch, self.labels, self.naive = a.batch, data["labels"], form == "einsum"
        self.x = data["raw"] if self.naive else data["unit bf16" if bf16 else "unit"]
        parameters = reference.initial_parameters(data["words"], a.features, 0)
        self.model = reference.MSDN(parameters, data["att"], data["seen"], form, bf16=bf16, dead=dead)
        self.optimizer = reference.rmsprop(self.model, LR, MOMENTUM, DECAY, foreach=not self.naive)

    def maps(self, images):
        x = self.x[images]
        return torch.nn.functional.normalize(x, dim=1) if self.naive else x

    def step(self):
        images = torch.randperm(len(self.labels))[:self.batch]
        loss, _, _ = self.model.total(self.maps(images), self.labels[images], LAMBDA, ETA)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def ms(self, steps):
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times)

    def images_per_s(self, runs=3):
        best, images = 0, torch.arange(min(len(self.labels), 2 * self.batch))
        with torch.no_grad():
            for _ in range(runs):
                start = time.perf_counter()
                for some in images.split(self.batch):
                    s1, s2, _ = self.model.scores(self.maps(some))
                    0.9 * s1 + 0.1 * s2
                best = max(best, len(images) / (time.perf_counter() - start))
        return best


def unseen_run(a, precision):
    command = [a.program, "bench", "msdn", "--json", "-", "--attributes", str(a.attributes),
               "--classes", str(a.classes), "--features", str(a.features), "--regions", str(a.regions),
               "--batch", str(a.batch), "--images", str(a.images), "--steps", str(a.steps),
               "--precision", precision, "--threads", str(a.threads), "--quiet"]
    if a.vectors != 300:
        command += ["--vectors", str(a.vectors)]
    return figures.run(command)


def score_flop(a):
    """Of one image: the products of its regions with both branches' matrices, and of both scores."""
    return 2 * a.regions * 4 * a.attributes * a.features + 2 * 2 * a.attributes * a.classes


def make_peers(a):
    if not torch:
        return {}
    torch.set_num_threads(a.threads)
    data = make_data(a)
    peers = {"naive f32": Peer(a, data, "einsum"), "folded f32": Peer(a, data, "folded"),
             "folded bf16": Peer(a, data, "folded", bf16=True)}
    if a.published:
        peers["published f32"] = Peer(a, data, "einsum", dead=True)
    return figures.measured(peers)


def report(e, form):
    """One result of the engine and how many times as fast as each peer it is."""
    print(f"  unseen {e['name'].split()[-1]:14s} {figures.spread(e['ours'], '.1f')} {form}")
    for name in e["peers"]:
        print(f"      {figures.spread(figures.ratios(e, name), '.2f')} x PyTorch {name}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program", nargs="?")
    p.add_argument("--rounds", type=figures.count, default=5)
    p.add_argument("--steps", type=figures.count, default=5)
    p.add_argument("--threads", type=figures.count, default=len(os.sched_getaffinity(0)))
    p.add_argument("--published", action="store_true", help="also time the published form's unused products")
    for name, value in (("attributes", 312), ("classes", 200), ("features", 2048), ("regions", 196),
                        ("vectors", 300), ("batch", 50), ("images", 200)):
        p.add_argument("--" + name, type=figures.count, default=value)
    p.add_argument("--json", type=figures.writable, help="also write the results to this file")
    a = p.parse_args()
    peers = make_peers(a)
    for peer in peers.values():
        peer.ms(1)
    engine = {"f32": [], "auto": []} if a.program else {}
    others = {name: [] for name in peers}
    scoring = {name: [] for name in peers if name in ("folded f32", "folded bf16")}
    types = figures.torch_types(torch)
    probes = {t: [] for t in types}
    for _ in range(a.rounds):
        for precision, runs in engine.items():
            runs.append(unseen_run(a, precision))
        for t, dtype in types.items():
            probes[t].append(figures.probe(torch, dtype))
        for name, peer in peers.items():
            others[name].append(peer.ms(a.steps))
        for name, rates in scoring.items():
            rates.append(peers[name].images_per_s())
    print(f"MSDN, A {a.attributes}, K {a.classes}, F {a.features}, E {a.vectors}, R {a.regions}, B {a.batch}, "
          f"{a.threads} threads ({os.environ['OMP_WAIT_POLICY'].lower()} waiting), "
          f"{a.rounds} rounds of {a.steps} steps, {figures.version(torch)}")
    entries = []
    for t in ("f32", "bf16") if engine else ():
        values = [r["probe_gflops"][t] for r in engine["auto"]]
        entries.append(figures.probe_entry(t, values, {t: probes[t]} if t in probes else {}))
        print(f"product of 1024 x 1024 matrices, {t}: unseen {figures.spread(values, '.0f')} GFLOP/s" +
              (f", PyTorch {figures.spread(probes[t], '.0f')}" if t in probes else ""))
    for name, times in others.items():
        print(f"  PyTorch {name:13s} {figures.spread(times, '.1f')} ms a step")
    for precision, runs in engine.items():
        times = [r["step_ms"]["median"] for r in runs]
        entries.append(figures.entry(f"MSDN step, --precision {precision}", "ms", runs, times, others,
                                     runs[0]["gflops"] * times[0] * 1e6,
                                     figures.batch_bytes(runs[0]) + figures.STEP_BYTES * runs[0]["parameters"]))
        report(entries[-1], "ms a step")
    print("scoring")
    for name, rates in scoring.items():
        print(f"  PyTorch {name:13s} {figures.spread(rates, '.1f')} images/s")
    for precision, runs in engine.items():
        entries.append(figures.entry(f"MSDN scoring, --precision {precision}", "images/s", runs,
                                     [r["score_images_per_s"] for r in runs], scoring,
                                     score_flop(a), figures.batch_bytes(runs[0]) / a.batch + 4 * a.classes))
        report(entries[-1], "images/s")
    if a.json:
        figures.write(a.json, torch, a.threads, entries)


if __name__ == "__main__":
    main()
