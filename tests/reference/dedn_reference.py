#!/usr/bin/env python3
"""Independent PyTorch reference of DEDN (Rao et al.; IJCAI 2024).

Written from the specification of the method alone. Needs numpy and torch.

Usage
  dedn_reference.py --golden FILE...    both forms of the network against golden data

Forms of the network, the same function of the same parameters
  einsum   set by set, one einsum a projection over (B, F, R) maps, as the published code is structured
  folded   the region paths of all sets as one product with (B R, F) rows; the channel paths as one
           batched product with T never formed: psi_i = sum_r U_ir (Q X)_ir
"""
import argparse
import json
import math
import os
import sys

# two thread pools that spin while idle cost PyTorch half its speed on a shared machine; before numpy
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

import torch
from torch.nn.functional import linear, log_softmax, nll_loss, normalize

CUB = {"p_ce": 0.1, "p_crc": 1e-3, "lambda": 0.0, "label_margin": 3.0, "seen_margin": 1.0, "epsilon": 0.0,
       "mix": 0.8, "fuse": 0.9, "lr": 1e-4, "momentum": 0.9, "decay": 1e-4, "bias": 1.0}


def initial_parameters(word_vectors, width, regions, groups, seed):
    """{"GNet.V": ..., "Snet0.H_1": ...}; `groups` is a list of lists of attributes."""
    g, e, out = torch.Generator().manual_seed(seed), word_vectors.shape[1], {}
    rows = normalize(word_vectors, dim=1)
    for name, members in [("GNet", list(range(len(rows))))] + [(f"Snet{i}", m) for i, m in enumerate(groups)]:
        out[name + ".V"] = rows[members].clone()
        out[name + ".H_1"], out[name + ".H_2"] = torch.randn(e, width, generator=g), torch.zeros(e, width)
        out[name + ".H_3"], out[name + ".H_4"] = torch.randn(e, regions, generator=g), torch.zeros(e, regions)
    return out


def distance(a, b, epsilon):
    """The distillation loss: cubes over the root of squares, and half of both divergences."""
    d, la, lb = a - b, log_softmax(a, 1), log_softmax(b, 1)
    square = d.square().sum(1)
    apart = square > 0                                                 # 0, gradient 0 where d is 0
    root = torch.where(apart, square + epsilon, torch.ones_like(square)).sqrt()
    cubes = torch.where(apart, d.abs().pow(3).sum(1) / root, torch.zeros_like(square)).mean()
    mu = torch.logaddexp(la, lb) - math.log(2)
    return cubes + sum((l.exp() * (l - mu)).sum(1).mean() for l in (la, lb)) / 2


class DEDN:
    """x: (B, F, R) for einsum, (B, R, F) for folded, regions of unit length. Experts are numbered 0
    (coarse) and 1 (fine)."""

    def __init__(self, parameters, att, seen, groups, form="folded", bf16=False, **settings):
        self.s = {**CUB, **settings}
        self.p = {n: v.clone().requires_grad_() for n, v in parameters.items()}
        self.params = list(self.p.values())
        self.att = normalize(att, dim=1)
        self.m = torch.full((len(att),), self.s["bias"])
        self.m[seen] = -self.s["bias"]
        self.is_unseen = self.m > 0
        self.factored = "GNet.H_5" in parameters
        self.sets = ["GNet"] + [f"Snet{i}" for i in range(len(groups))]
        order = torch.tensor([i for g in groups for i in g])
        self.back = torch.empty_like(order)                            # the fine expert's row of an attribute
        self.back[order] = torch.arange(len(order))
        self.form, self.bf16 = form, bf16

    def matrices(self, name):
        """V H of a set: regions' values and logits, channels' values and logits."""
        g = {k: self.p[f"{name}.{k}"] for k in ("V", "H_1", "H_2", "H_3", "H_4")}
        v = g["V"]
        if self.factored:
            return v @ g["H_1"] @ g["H_3"], v @ g["H_2"], v @ g["H_4"], v @ self.p[name + ".H_5"]
        return v @ g["H_1"], v @ g["H_2"], v @ g["H_3"], v @ g["H_4"]

    def einsum(self, x):
        regions, channels = [], []
        for name in self.sets:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
                s1, l1, s2, l2 = self.matrices(name)
                s, a = torch.einsum("if,bfr->bir", s1, x), torch.einsum("if,bfr->bir", l1, x)
                t, c = torch.einsum("ir,bfr->bif", s2, x), torch.einsum("ir,bfr->bif", l2, x)
            regions.append((a.float().softmax(2) * s.float()).sum(2))
            channels.append((c.float().softmax(2) * t.float()).sum(2))
        return torch.cat(regions, 1), torch.cat(channels, 1)

    def folded(self, x):
        b, r, f = x.shape
        s1, l1, s2, l2 = (torch.cat(m) for m in zip(*(self.matrices(name) for name in self.sets)))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            y = linear(x.reshape(b * r, f), torch.cat([s1, l1]))
            q = torch.matmul(l2, x)                                    # (B, N, F) logits over channels
        s, a = y.float().view(b, r, 2, -1).unbind(2)
        q = q.float().softmax(2)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            pooled = torch.matmul(q, x.transpose(1, 2))                # (B, N, R)
        return (a.softmax(1) * s).sum(1), (pooled.float() * s2).sum(2)

    def paths(self, x):
        """[[regions, channels] of each expert], (B, A) each."""
        regions, channels = getattr(self, self.form)(x)
        n = len(self.back)
        return [[regions[:, :n], channels[:, :n]], [regions[:, n:][:, self.back], channels[:, n:][:, self.back]]]

    def losses(self, paths, labels):
        """ce, ce, cal, cal, distill, align, align, weights included."""
        t = self.s
        s = [(r + c) @ self.att.T + self.m for r, c in paths]
        margin = torch.where(self.is_unseen, 0.0, t["seen_margin"]).expand(len(labels), -1).clone()
        margin[torch.arange(len(labels)), labels] -= t["label_margin"]
        ce = [nll_loss(log_softmax(e - self.m + margin, 1), labels) for e in s]
        cal = [-t["lambda"] * e.softmax(1)[:, self.is_unseen].sum(1).mean().log() for e in s]
        align = [t["p_crc"] * distance(r, c, t["epsilon"]) for r, c in paths]
        return (*ce, *cal, t["p_ce"] * distance(*s, t["epsilon"]), *align)

    def total(self, x, labels):
        return sum(self.losses(self.paths(x), labels))

    def scores(self, x):
        """Of each expert, and fused, as in prediction."""
        c, e = self.s["mix"], self.s["fuse"]
        s = [(c * r + (1 - c) * k) @ self.att.T + self.m for r, k in self.paths(x)]
        return s[0], s[1], e * s[0] + (1 - e) * s[1]


def rmsprop(model, **more):
    s = model.s
    return torch.optim.RMSprop(model.params, lr=s["lr"], alpha=0.99, eps=1e-8, weight_decay=s["decay"],
                               momentum=s["momentum"], **more)


# ---------------------------------------------------------------- golden data

TERMS = ("ce_coarse", "ce_fine", "cal_coarse", "cal_fine", "distill", "align_coarse", "align_fine")


def check_golden(path, tolerance=1e-4):
    from make_region_maps import read_safetensors
    raw, meta = read_safetensors(path)
    t = {k: torch.from_numpy(v.copy()) for k, v in raw.items()}
    group = t["in.group"].tolist()
    groups = [[i for i, g in enumerate(group) if g == k] for k in range(int(meta["groups"]))]
    settings = {"lambda": float(meta["lambda"]), "epsilon": float(meta["distance_eps"]),
                "mix": float(meta["c_mix"]), "fuse": float(meta["e_mix"]), "decay": float(meta["weight_decay"]),
                **{k: float(meta[k]) for k in ("p_ce", "p_crc", "label_margin", "seen_margin", "lr", "momentum",
                                               "bias")}}
    parameters = {k: v for k, v in t.items() if k.split(".")[0][:4] in ("GNet", "Snet")}
    report = {"golden": os.path.basename(path)}
    for form in ("einsum", "folded"):
        worst = {"paths": 0.0, "losses": 0.0, "grads": 0.0, "final": 0.0, "test": 0.0}

        def compare(kind, ours, name):
            ref, ours = t[name], ours.detach().reshape(t[name].shape)
            top, gap = ref.abs().max().item(), (ours - ref).abs().max().item()
            worst[kind] = max(worst[kind], gap / top if top > 0 else gap / 1e-5 * tolerance)

        def maps(x):
            x = normalize(x.flatten(2), dim=1)
            return x.transpose(1, 2).contiguous() if form == "folded" else x

        model = DEDN(parameters, t["in.att"], t["in.seen"], groups, form, **settings)
        optimizer = rmsprop(model)
        for step in range(int(meta["steps"])):
            paths = model.paths(maps(t[f"in.step{step}.x"]))
            parts = model.losses(paths, t[f"in.step{step}.y"])
            weights = (1, 1, settings["lambda"], settings["lambda"], settings["p_ce"], *(settings["p_crc"],) * 2)
            for part, weight, term in zip(parts, weights, TERMS):
                if weight:
                    compare("losses", part / weight, f"loss.step{step}.{term}")
            optimizer.zero_grad(set_to_none=True)
            sum(parts).backward()
            compare("losses", sum(parts), f"loss.step{step}.total")
            if step == 0:
                for expert, two in zip(("coarse", "fine"), paths):
                    compare("paths", two[0], f"out.{expert}.region_psi")
                    compare("paths", two[1], f"out.{expert}.channel_psi")
                for name, value in model.p.items():
                    compare("grads", value.grad, "grad." + name)
            optimizer.step()
        for name, value in model.p.items():
            compare("final", value, "out.final." + name)
        with torch.no_grad():
            for value, name in zip(model.scores(maps(t["in.test_x"])), ("coarse_scores", "fine_scores", "scores")):
                compare("test", value, "out.test." + name)
        report[form] = worst
    report["ok"] = all(v < tolerance for form in ("einsum", "folded") for v in report[form].values())
    print(json.dumps(report))
    return report["ok"]


def main():
    p = argparse.ArgumentParser(description="DEDN reference in PyTorch; see the head of this file")
    p.add_argument("--golden", nargs="+", required=True)
    a = p.parse_args()
    return 0 if all([check_golden(path) for path in a.golden]) else 1


if __name__ == "__main__":
    sys.exit(main())
