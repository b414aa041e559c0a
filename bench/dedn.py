#!/usr/bin/env python3
"""DEDN training steps: `unseen bench dedn` against PyTorch and against the engine's MSDN, interleaved
in one run.

usage: dedn.py UNSEEN [--rounds N] [--steps N] [--threads N] [--json FILE]

Both do the same step: a batch of region maps, region and channel paths of both experts (CUB's six
groups), all losses, backward, RMSprop with weight decay and momentum. PyTorch runs
  naive f32    set by set, one einsum a projection over (B, F, R) maps, normalised in the step
  folded f32   one product for the region paths of all sets and two batched ones for the channel
               paths, maps normalised and laid out before, foreach RMSprop
  folded bf16  the same under bf16 autocast, maps stored in bf16
so naive is the code people run and folded the best of the forms that were tried. The network is the
one of tests/reference/dedn_reference.py, whose f32 forms are checked against golden data.
"""
import os
import sys

import figures
import steps

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "reference"))

torch = figures.find_torch()
if torch:
    import dedn_reference as reference

A, K, F, R, B, E, N = 312, 200, 2048, 196, 50, 300, 200
SIZES = (112, 87, 24, 40, 15, 34)           # of CUB's groups; which attributes they are costs the same


def make_data():
    g = torch.Generator().manual_seed(1)
    x = torch.rand(N, F, R, generator=g)
    x *= torch.rand(N, F, R, generator=g) < 0.5
    unit = torch.nn.functional.normalize(x, dim=1).transpose(1, 2).contiguous()
    seen = torch.tensor([c for c in range(K) if c % 4 != 3])
    return {"raw": x, "unit": unit, "unit bf16": unit.bfloat16(), "seen": seen,
            "labels": seen[torch.randint(0, len(seen), (N,), generator=g)],
            "att": torch.rand(K, A, generator=g) * 0.1, "words": torch.randn(A, E, generator=g)}


class Peer:
    def __init__(self, data, form, bf16=False):
        self.naive, self.labels = form == "einsum", data["labels"]
        self.x = data["raw"] if self.naive else data["unit bf16" if bf16 else "unit"]
        ends = [sum(SIZES[:i + 1]) for i in range(len(SIZES))]
        groups = [list(range(end - size, end)) for size, end in zip(SIZES, ends)]
        parameters = reference.initial_parameters(data["words"], F, R, groups, 0)
        self.model = reference.DEDN(parameters, data["att"], data["seen"], groups, form, bf16)
        self.optimizer = reference.rmsprop(self.model, foreach=not self.naive)

    def step(self):
        images = torch.randperm(N)[:B]
        x = self.x[images]
        loss = self.model.total(torch.nn.functional.normalize(x, dim=1) if self.naive else x, self.labels[images])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def make_peers():
    data = make_data()
    return {"naive f32": Peer(data, "einsum"), "folded f32": Peer(data, "folded"),
            "folded bf16": Peer(data, "folded", bf16=True)}


if __name__ == "__main__":
    steps.compare(torch, "dedn", {"attributes": A, "features": F, "regions": R, "batch": B, "classes": K,
                                  "vectors": E, "images": N}, make_peers, ("f32", "auto"), 5, 3, "msdn")
