#!/usr/bin/env python3
"""Independent PyTorch reference of MSDN (Chen et al.; CVPR 2022) on region maps in HDF5.

Written from the specification of the method alone. Needs numpy, h5py and torch.

Usage
  msdn_reference.py MAPS.hdf5 [options]    one JSON object per seed on standard output
  msdn_reference.py --golden FILE...       both forms of the network against golden data

  # the published CUB settings, three seeds; test sets read after each epoch
  msdn_reference.py cub50_maps.hdf5 --seeds 0,1,2
  # T1 run (the published T1 comes from another lambda), bf16 products
  msdn_reference.py cub50_maps.hdf5 --lambda 0.18 --precision bf16

MAPS.hdf5 has the layout of feature_map_ResNet_101_CUB.hdf5 (see make_region_maps.py).

Forms of the network, the same function of the same parameters
  einsum   one einsum a projection over (B, F, R) maps, as the published code is structured
  folded   the four folded matrices Vn W as one (4A, F) product with (B R, F) rows

Scores contain the bias m (+1 unseen, -1 seen): T1, U, S, H are those of the natively calibrated
model. "last" is the last epoch. The best epochs are chosen on the test sets and say so.
"""
import argparse
import json
import math
import os
import sys
import time

# two thread pools that spin while idle cost PyTorch half its speed on a shared machine; before numpy
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

import numpy as np
import torch
from torch.nn.functional import linear, log_softmax, nll_loss, normalize

NAMES = ("V", "W_1", "W_2", "W_1_1", "W_2_1")
# fuse: weights of the two branches in the score
CUB = {"batch": 50, "epochs": 30, "lr": 1e-4, "lambda": 0.1, "eta": 1e-3, "momentum": 0.9,
       "decay": 1e-4, "fuse": (0.9, 0.1)}


# ---------------------------------------------------------------- model

def initial_parameters(word_vectors, width, seed):
    g, e = torch.Generator().manual_seed(seed), word_vectors.shape[1]
    return {"V": normalize(word_vectors, dim=1),                       # a zero row stays zero
            "W_1": torch.randn(e, width, generator=g), "W_2": torch.zeros(e, width),
            "W_1_1": torch.zeros(width, e), "W_2_1": torch.zeros(e, width)}


class MSDN:
    """scores(x) takes maps whose regions are unit vectors: (B, F, R) for einsum, (B, R, F) for
    folded. Both return s1, s2 (B, K) with m inside, and the attention P (B, A, R)."""

    def __init__(self, parameters, att, seen, form="folded", normalize_v=False, bias=1.0, bf16=False,
                 dead=False):
        self.p = {n: parameters[n].clone().requires_grad_() for n in NAMES}
        self.params = list(self.p.values())
        self.att = normalize(att, dim=1)
        self.m = torch.full((len(att),), float(bias))
        self.m[seen] = -float(bias)
        self.is_unseen = self.m > 0
        self.form, self.normalize_v, self.bf16, self.dead = form, normalize_v, bf16, dead

    def scores(self, x):
        v = normalize(self.p["V"], dim=1) if self.normalize_v else self.p["V"]
        psi1, psi2, attention = getattr(self, self.form)(v, x)
        return psi1 @ self.att.T + self.m, psi2 @ self.att.T + self.m, attention

    def einsum(self, v, x):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            s = torch.einsum("iv,vf,bfr->bir", v, self.p["W_1"], x)
            a = torch.einsum("iv,vf,bfr->bir", v, self.p["W_2"], x)
            s_ = torch.einsum("bfr,fv,iv->bri", x, self.p["W_1_1"], v)
            a_ = torch.einsum("iv,vf,bfr->bir", v, self.p["W_2_1"], x)
        p, p_ = a.float().softmax(2), a_.float().softmax(1)
        if self.dead:                # the published forward also makes these and never uses them
            pooled = torch.einsum("bir,bfr->bif", p, x)
            for w in ("W_2", "W_1"):
                torch.einsum("iv,vf,bif->bi", v, self.p[w], pooled)
            torch.einsum("bir,iv->brv", p_, v)
        return (torch.einsum("bir,bir->bi", p, s.float()), torch.einsum("bir,bri->bi", p_, s_.float()), p)

    def folded(self, v, x):
        b, r, f = x.shape
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            m = torch.cat([v @ self.p["W_1"], v @ self.p["W_2"], v @ self.p["W_1_1"].T, v @ self.p["W_2_1"]])
            z = linear(x.reshape(b * r, f), m)
        s, a, s_, a_ = z.float().view(b, r, 4, -1).unbind(2)
        p, p_ = a.softmax(1), a_.softmax(2)                            # over regions, over attributes
        return (p * s).sum(1), (p_ * s_).sum(1), p.transpose(1, 2)

    def losses(self, s1, s2, labels):
        """ce1, ce2, cal1, cal2, distill"""
        l1, l2 = log_softmax(s1, 1), log_softmax(s2, 1)
        ce = [nll_loss(log_softmax(s - self.m, 1), labels) for s in (s1, s2)]
        cal = [-l.exp()[:, self.is_unseen].sum(1).mean().log() for l in (l1, l2)]
        d = s1 - s2
        square = d.square().sum(1)
        apart = square > 0                                             # 0, gradient 0 where d is 0
        root = torch.where(apart, square, torch.ones_like(square)).sqrt()
        cubes = torch.where(apart, d.abs().pow(3).sum(1) / root, torch.zeros_like(square)).mean()
        mu = torch.logaddexp(l1, l2) - math.log(2)
        kl = sum((l.exp() * (l - mu)).sum(1).mean() for l in (l1, l2))
        return (*ce, *cal, cubes + kl / 2)

    def total(self, x, labels, lam, eta):
        s1, s2, attention = self.scores(x)
        parts = self.losses(s1, s2, labels)
        return parts[0] + parts[1] + lam * (parts[2] + parts[3]) + eta * parts[4], parts, (s1, s2, attention)


def rmsprop(model, lr, momentum, decay, **more):
    return torch.optim.RMSprop(model.params, lr=lr, alpha=0.99, eps=1e-8, weight_decay=decay,
                               momentum=momentum, **more)


# ---------------------------------------------------------------- golden data

def check_golden(path, tolerance=1e-4):
    from make_region_maps import read_safetensors
    raw, meta = read_safetensors(path)
    t = {k: torch.from_numpy(v) for k, v in raw.items()}
    lam, eta = float(meta["lambda_cal"]), float(meta["lambda_distill"])
    report = {"golden": os.path.basename(path)}
    for form in ("einsum", "folded"):
        worst = {"scores": 0.0, "attention": 0.0, "losses": 0.0, "grads": 0.0, "final": 0.0}

        def compare(kind, ours, name):
            ref, ours = t[name], ours.detach().reshape(t[name].shape)
            top, gap = ref.abs().max().item(), (ours - ref).abs().max().item()
            worst[kind] = max(worst[kind], gap / top if top > 0 else gap / 1e-5 * tolerance)

        model = MSDN({n: t["init." + n] for n in NAMES}, t["att"], t["seen"], form,
                     meta["normalize_V"] == "True", float(meta["bias"]))
        optimizer = rmsprop(model, float(meta["lr"]), float(meta["momentum"]), float(meta["weight_decay"]))
        for s in range(int(meta["steps"])):
            x = t["step%d.x" % s].flatten(2)
            if meta["normalize_F"] == "True":
                x = normalize(x, dim=1)
            if form == "folded":
                x = x.transpose(1, 2).contiguous()
            loss, parts, (s1, s2, attention) = model.total(x, t["step%d.y" % s], lam, eta)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for kind, ours, name in (("scores", s1, "S1"), ("scores", s2, "S2"), ("attention", attention, "A"),
                                     *(("losses", v, n) for v, n in
                                       zip((*parts, loss), ("ce1", "ce2", "cal1", "cal2", "distill", "loss")))):
                compare(kind, ours, "step%d.%s" % (s, name))
            if s == 0:
                for n in NAMES:
                    compare("grads", model.p[n].grad, "grad0." + n)
            optimizer.step()
        for n in NAMES:
            compare("final", model.p[n], "final." + n)
        report[form] = worst
    report["ok"] = all(v < tolerance for form in ("einsum", "folded") for v in report[form].values())
    print(json.dumps(report))
    return report["ok"]


# ---------------------------------------------------------------- data

def load_maps(path):
    """Everything in memory; maps (N, R, F) float32 with unit regions."""
    import h5py
    with h5py.File(path, "r") as h:
        data = {k: torch.from_numpy(h[k][()].astype(np.int64))
                for k in ("labels", "trainval_loc", "test_seen_loc", "test_unseen_loc")}
        for k in ("att", "w2v_att"):
            data[k] = torch.from_numpy(h[k][()].astype(np.float32))
        maps = h["feature_map"]
        n, f, r = maps.shape[0], maps.shape[1], maps.shape[2] * maps.shape[3]
        data["x"] = torch.empty(n, r, f)
        for at in range(0, n, 64):
            block = torch.from_numpy(maps[at:at + 64].astype(np.float32)).flatten(2)
            data["x"][at:at + 64] = normalize(block, dim=1).transpose(1, 2)
    data["seen"] = data["labels"][data["trainval_loc"]].unique()
    data["unseen"] = data["labels"][data["test_unseen_loc"]].unique()
    assert not np.intersect1d(data["seen"], data["unseen"]).size
    return data


# ---------------------------------------------------------------- evaluation

def class_accuracy(answers, labels):
    return torch.stack([(answers[labels == c] == c).double().mean() for c in labels.unique()]).mean().item()


@torch.no_grad()
def fused_scores(model, x, images, fuse, batch=64):
    out = []
    for at in range(0, len(images), batch):
        s1, s2, _ = model.scores(x[images[at:at + batch]])
        out.append(fuse[0] * s1 + fuse[1] * s2)
    return torch.cat(out)


def evaluate(model, data, fuse):
    result, labels, unseen = {}, data["labels"], data["unseen"]
    scores = fused_scores(model, data["x"], data["test_unseen_loc"], fuse)
    y = labels[data["test_unseen_loc"]]
    result["T1"] = class_accuracy(unseen[scores[:, unseen].argmax(1)], y)
    result["U"] = class_accuracy(scores.argmax(1), y)
    scores = fused_scores(model, data["x"], data["test_seen_loc"], fuse)
    result["S"] = class_accuracy(scores.argmax(1), labels[data["test_seen_loc"]])
    u, s = result["U"], result["S"]
    result["H"] = 2 * u * s / (u + s) if u + s > 0 else 0.0
    return result


# ---------------------------------------------------------------- command line

def train(data, a, seed):
    width, ntrain = data["x"].shape[2], len(data["trainval_loc"])
    model = MSDN(initial_parameters(data["w2v_att"], width, seed), data["att"], data["seen"],
                 bf16=a.precision == "bf16")
    optimizer = rmsprop(model, a.lr, a.momentum, CUB["decay"])
    order = torch.Generator().manual_seed(seed + 1000003)
    iterations, spent, history = ntrain * a.epochs // a.batch, 0.0, []
    for i in range(1, iterations + 1):
        start = time.perf_counter()
        images = data["trainval_loc"][torch.randperm(ntrain, generator=order)[:a.batch]]
        loss, parts, _ = model.total(data["x"][images], data["labels"][images], a.lam, a.eta)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        spent += time.perf_counter() - start
        ends = i * a.batch // ntrain > (i - 1) * a.batch // ntrain       # an epoch's worth of images
        if i == iterations or (ends and a.every and (i * a.batch // ntrain) % a.every == 0):
            history.append({"step": i, "epoch": round(i * a.batch / ntrain, 3), "loss": loss.item(),
                            **dict(zip(("ce1", "ce2", "cal1", "cal2", "distill"), (v.item() for v in parts))),
                            **evaluate(model, data, CUB["fuse"])})
            if a.verbose:
                print(json.dumps(history[-1]), file=sys.stderr, flush=True)

    def brief(h):
        return {k: round(h[k], 5) for k in ("epoch", "T1", "U", "S", "H")}

    out = {"method": "msdn", "preset": "cub", "seed": seed, "epochs": a.epochs, "steps": iterations,
           "batch": a.batch, "lambda": a.lam, "eta": a.eta, "lr": a.lr, "momentum": a.momentum,
           "precision": a.precision, "score": "fused with m", "loss": history[-1]["loss"],
           "last": brief(history[-1]),
           "selected on test": {"best_H": brief(max(history, key=lambda h: h["H"])),
                                "best_T1": brief(max(history, key=lambda h: h["T1"]))},
           "ms_per_step": round(1e3 * spent / iterations, 1)}
    if a.history:
        out["history"] = history
    return out


def main():
    p = argparse.ArgumentParser(description="MSDN reference in PyTorch; see the head of this file")
    p.add_argument("maps", nargs="?")
    p.add_argument("--golden", nargs="+")
    p.add_argument("--epochs", type=int, default=CUB["epochs"])
    p.add_argument("--seed", "--seeds", dest="seeds", default="0", help="one, or a comma list")
    p.add_argument("--lambda", dest="lam", type=float, default=CUB["lambda"])
    p.add_argument("--eta", type=float, default=CUB["eta"])
    p.add_argument("--lr", type=float, default=CUB["lr"])
    p.add_argument("--momentum", type=float, default=CUB["momentum"])
    p.add_argument("--batch", type=int, default=CUB["batch"])
    p.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    p.add_argument("--every", type=int, default=1, help="evaluate each so many epochs; 0: at the end")
    p.add_argument("--history", action="store_true", help="every evaluation in the JSON")
    p.add_argument("--verbose", action="store_true", help="every evaluation on standard error")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.golden:
        return 0 if all([check_golden(path) for path in a.golden]) else 1
    if not a.maps:
        p.error("MAPS.hdf5 or --golden is needed")
    data = load_maps(a.maps)
    for seed in (int(s) for s in a.seeds.split(",")):
        print(json.dumps(train(data, a, seed)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
