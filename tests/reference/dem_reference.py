#!/usr/bin/env python3
"""Independent PyTorch reference of DEM (Zhang, Xiang, Gong; CVPR 2017) on xlsa17-style data.

Written from the specification of the method alone. Needs numpy, scipy and torch.

Usage
  dem_reference.py DATA_DIR [options]      one JSON object per seed on standard output

  # attributes alone, exact objective on class means, first validation fold
  dem_reference.py CUB --semantics original_att --scale 0.005 --split fold1
  # the same on the test sets, three seeds, with a gamma chosen on validation
  dem_reference.py CUB --semantics original_att --split final --gamma 0.0245 --seeds 0,1,2
  # reference mini-batches
  dem_reference.py CUB --batching mini --batch 100 --steps 710
  # attributes and sentence embeddings fused (tanh first layers)
  dem_reference.py CUB --semantics original_att,sent --scale 0.005,0.1 --modality-weight 1,3

DATA_DIR holds the feature file (--features), att_splits.mat, sent_splits.mat and, for the folds,
valclasses{1,2,3}.txt. Semantics: att, original_att (att_splits.mat), sent (sent_splits.mat's att).

Splits
  final          train on trainval_loc; U, T1 on test_unseen_loc; S on test_seen_loc.
  fold1..fold3   the real unseen classes are dropped. The fold's validation classes play the unseen
                 ones; 20 % of the trainval images of every other class play test_seen, the rest
                 trains. Fold 1 is train_loc / val_loc intersected with trainval_loc where the file
                 has them, otherwise valclasses1.txt; folds 2 and 3 are valclasses{2,3}.txt.

Scores are -distance: Euclidean (not squared) or 1 - cosine. gamma is subtracted from seen classes.
"""
import argparse
import json
import os
import time

import numpy as np
import scipy.io
import torch


# ---------------------------------------------------------------- data

def load_data(folder, features="vgg_fc7.mat"):
    """Everything with 0-based indices; semantics as rows of classes."""
    feat = scipy.io.loadmat(os.path.join(folder, features))
    att = scipy.io.loadmat(os.path.join(folder, "att_splits.mat"))
    x = np.ascontiguousarray(feat["features"].T, dtype=np.float32)
    y = feat["labels"].ravel().astype(np.int64) - 1
    names = [str(n[0][0]) for n in att["allclasses_names"]]
    data = {"x": torch.from_numpy(x), "y": torch.from_numpy(y), "names": names, "folder": folder,
            "att": att["att"].T, "original_att": att["original_att"].T}
    for key in ("trainval_loc", "test_seen_loc", "test_unseen_loc", "train_loc", "val_loc"):
        if key in att:
            data[key] = att[key].ravel().astype(np.int64) - 1
    sent_file = os.path.join(folder, "sent_splits.mat")
    if os.path.exists(sent_file):
        sent = scipy.io.loadmat(sent_file)
        sent_names = [str(n[0][0]) for n in sent["allclasses_names"]]
        order = [sent_names.index(n) for n in names]           # by name, never by position
        data["sent"] = sent["att"].T[order]
        for key in ("train_loc", "val_loc"):
            if key in sent:
                data.setdefault(key, sent[key].ravel().astype(np.int64) - 1)
    return data


def make_split(data, which, held_out=0.2, held_out_seed=0):
    """dict of image index tensors train, seen, unseen and class lists seen_classes, unseen_classes."""
    y, trainval = data["y"].numpy(), data["trainval_loc"]
    if which == "final":
        train, seen, unseen = trainval, data["test_seen_loc"], data["test_unseen_loc"]
    else:
        fold = int(which[-1])
        if fold == 1 and "val_loc" in data:
            unseen = np.intersect1d(data["val_loc"], trainval)
            rest = np.intersect1d(data["train_loc"], trainval)
        else:
            with open(os.path.join(data["folder"], "valclasses%d.txt" % fold)) as f:
                val = [data["names"].index(line.strip()) for line in f if line.strip()]
            is_val = np.isin(y[trainval], val)
            unseen, rest = np.sort(trainval[is_val]), np.sort(trainval[~is_val])
        rng, train, seen = np.random.default_rng(held_out_seed), [], []
        for c in np.unique(y[rest]):
            images = rng.permutation(rest[y[rest] == c])
            n = int(round(held_out * len(images)))
            seen.append(images[:n])
            train.append(images[n:])
        train, seen = np.concatenate(train), np.concatenate(seen)
    s, u = np.unique(y[train]), np.unique(y[unseen])
    assert not np.intersect1d(s, u).size
    return {k: torch.from_numpy(np.sort(v)) for k, v in
            dict(train=train, seen=seen, unseen=unseen, seen_classes=s, unseen_classes=u).items()}


# ---------------------------------------------------------------- model

def truncated_normal(shape, generator, sd=0.1):
    w = torch.randn(shape, generator=generator)
    while True:
        far = w.abs() > 2
        if not far.any():
            return w * sd
        w[far] = torch.randn(int(far.sum()), generator=generator)


class DEM:
    """One semantic space: f = ReLU(ReLU(a W1 + b1) W2 + b2); hidden = 0: f = ReLU(a W + b).
    Several: f = ReLU((sum_m s_m tanh(u_m W_m + b_m)) W_c + b_c). Layers are (W, b) pairs, the
    centre (output) layer last, with one lambda each."""

    def __init__(self, dims, hidden, out, lambdas, modality_weights=None, seed=0):
        g = torch.Generator().manual_seed(seed)
        shapes = [(d, hidden) for d in dims] + [(hidden, out)] if hidden else [(dims[0], out)]
        self.fused, self.hidden = len(dims) > 1, hidden
        self.s = modality_weights or [1.0] * len(dims)
        self.lambdas = list(lambdas) if len(lambdas) > 1 else list(lambdas) * len(shapes)
        assert len(self.lambdas) == len(shapes) and len(self.s) == len(dims)
        assert hidden or not self.fused
        self.layers = [(truncated_normal(s, g).requires_grad_(),
                        torch.full((s[1],), 0.1).requires_grad_()) for s in shapes]
        self.params = [p for layer in self.layers for p in layer]

    def __call__(self, semantics):
        lin = [u @ w + b for u, (w, b) in zip(semantics, self.layers)]
        if not self.hidden:
            return torch.relu(lin[0])
        if self.fused:
            z = sum(s * torch.tanh(v) for s, v in zip(self.s, lin))
        else:
            z = torch.relu(lin[0])
        w, b = self.layers[-1]
        return torch.relu(z @ w + b)

    def penalty(self):
        return sum(0.5 * l * (w.square().sum() + b.square().sum())
                   for l, (w, b) in zip(self.lambdas, self.layers))


class TFAdam:
    """theta -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)"""

    def __init__(self, params, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.b1, self.b2, self.eps, self.t = params, lr, beta1, beta2, eps, 0
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, grads):
        self.t += 1
        lr = self.lr * (1 - self.b2 ** self.t) ** 0.5 / (1 - self.b1 ** self.t)
        for p, g, m, v in zip(self.params, grads, self.m, self.v):
            m.mul_(self.b1).add_(g, alpha=1 - self.b1)
            v.mul_(self.b2).addcmul_(g, g, value=1 - self.b2)
            p.addcdiv_(m, v.sqrt().add_(self.eps), value=-lr)


def class_means(x, y, classes):
    """counts (C), means (C, D) and the part of mean((f - x)^2) no model can change."""
    x64, counts, means, const = x.double(), [], [], 0.0
    for c in classes:
        rows = x64[y == c]
        counts.append(len(rows))
        means.append(rows.mean(0))
        const += (rows - means[-1]).square().sum().item()
    return torch.tensor(counts).float(), torch.stack(means).float(), const / x.numel()


def train(data, split, semantics, model, lr, steps, batching="class-means", batch=100, seed=0,
          every=0, report=None):
    """report(step, loss) is called each `every` steps. Returns loss of the last step, steps/s."""
    x, y = data["x"][split["train"]], data["y"][split["train"]]
    if batching == "class-means":
        counts, means, const = class_means(x, y, split["seen_classes"])
        rows = [u[split["seen_classes"]] for u in semantics]
        weight = (counts / (counts.sum() * x.shape[1]))[:, None]
    order_gen = torch.Generator().manual_seed(seed + 1000003)
    adam, order, at, spent = TFAdam(model.params, lr), None, len(y), 0.0
    loss = torch.tensor(float("nan"))
    for step in range(1, steps + 1):
        start = time.perf_counter()
        if batching == "class-means":
            loss = (weight * (model(rows) - means).square()).sum() + const + model.penalty()
        else:
            if at >= len(y):
                order, at = torch.randperm(len(y), generator=order_gen), 0
            i = order[at:at + batch]
            at += batch
            loss = (model([u[y[i]] for u in semantics]) - x[i]).square().mean() + model.penalty()
        adam.step(torch.autograd.grad(loss, model.params))
        spent += time.perf_counter() - start
        if every and step % every == 0 and report:
            report(step, loss.item())
    return loss.item(), steps / spent if steps else 0.0


# ---------------------------------------------------------------- evaluation

def scores(x, prototypes, distance):
    if distance == "cosine":
        unit = [v / v.norm(dim=1, keepdim=True).clamp_min(1e-12) for v in (x, prototypes)]
        return unit[0] @ unit[1].T - 1
    sq = x.square().sum(1)[:, None] + prototypes.square().sum(1)[None] - 2 * (x @ prototypes.T)
    return -sq.clamp_min(0).sqrt()


def harmonic(u, s):
    return np.where(u + s > 0, 2 * u * s / np.maximum(u + s, 1e-30), 0.0)


class Evaluation:
    """Per image: the decision threshold best_seen - best_unseen, its weight 1/(C n_c), and whether
    the best class on its own side is the right one. That is all any gamma needs."""

    def __init__(self, data, split, semantics, model, distance):
        with torch.no_grad():
            classes = torch.cat([split["seen_classes"], split["unseen_classes"]]).sort().values
            proto = model([u[classes] for u in semantics])
        is_seen = torch.isin(classes, split["seen_classes"])
        self.side = {}
        for role in ("seen", "unseen"):
            y = data["y"][split[role]]
            sc = scores(data["x"][split[role]], proto, distance).double()
            best, arg = {}, {}
            for name, mask in (("seen", is_seen), ("unseen", ~is_seen)):
                v = sc[:, mask].numpy()
                arg[name] = classes[mask].numpy()[v.argmax(1)]   # first maximum: lowest class wins
                best[name] = v.max(1)
            _, inverse, count = y.unique(return_inverse=True, return_counts=True)
            weight = (1.0 / (count.double()[inverse] * len(count))).numpy()
            self.side[role] = {"t": best["seen"] - best["unseen"], "w": weight,
                               "ok": arg[role] == y.numpy(), "seen_first": arg["seen"] < arg["unseen"]}
        un = self.side["unseen"]
        self.t1 = float((un["w"] * un["ok"]).sum())

    def at(self, gamma):
        """(U, S, H) with gamma subtracted from the scores of seen classes."""
        acc = {}
        for role, d in self.side.items():
            says_seen = (d["t"] > gamma) | ((d["t"] == gamma) & d["seen_first"])
            acc[role] = float((d["w"] * (d["ok"] & (says_seen == (role == "seen")))).sum())
        return acc["unseen"], acc["seen"], float(harmonic(acc["unseen"], acc["seen"]))

    def curve(self):
        """gamma (interval midpoints), U, S: every distinct point of the curve, both ends included."""
        se, un = self.side["seen"], self.side["unseen"]
        t = np.concatenate([se["t"], un["t"]])
        lose = np.concatenate([se["w"] * se["ok"], np.zeros(len(un["t"]))])
        gain = np.concatenate([np.zeros(len(se["t"])), un["w"] * un["ok"]])
        cuts, where = np.unique(t, return_inverse=True)
        lose, gain = (np.bincount(where, weights=v, minlength=len(cuts)) for v in (lose, gain))
        u = np.concatenate([[0.0], gain.cumsum()])
        s = np.concatenate([[lose.sum()], lose.sum() - lose.cumsum()]).clip(0)
        mid = np.concatenate([[cuts[0] - 1], (cuts[1:] + cuts[:-1]) / 2, [cuts[-1] + 1]])
        return mid, u, s

    def summary(self, gamma=None):
        mid, u, s = self.curve()
        h = harmonic(u, s)
        k = int(h.argmax())
        native = self.at(0.0)
        out = {"T1": self.t1, "native": dict(zip("USH", native)),
               "best_on_curve": {"gamma": float(mid[k]), "U": float(u[k]), "S": float(s[k]), "H": float(h[k])},
               "AUSUC": float(np.sum((u[1:] - u[:-1]) * (s[1:] + s[:-1]) / 2))}
        if gamma is not None:
            out["at_gamma"] = dict(zip("USH", self.at(gamma)), gamma=gamma)
        return out


# ---------------------------------------------------------------- command line

def semantics_of(data, names, scales):
    scales = scales if len(scales) > 1 else scales * len(names)
    assert len(scales) == len(names)
    return [torch.from_numpy(np.ascontiguousarray(data[n] * s)).float() for n, s in zip(names, scales)]


def main():
    def floats(text):
        return [float(v) for v in text.split(",")]

    p = argparse.ArgumentParser(description="DEM reference in PyTorch; see the head of this file")
    p.add_argument("data_dir")
    p.add_argument("--features", default="vgg_fc7.mat")
    p.add_argument("--semantics", default="original_att", help="att, original_att, sent; a comma list fuses")
    p.add_argument("--scale", type=floats, default=[0.005], help="multiplier of each semantic space")
    p.add_argument("--modality-weight", type=floats, help="s_m of fusion")
    p.add_argument("--batching", choices=["class-means", "mini"], default="class-means")
    p.add_argument("--batch", type=int, default=100)
    p.add_argument("--hidden", type=int, default=1200, help="0: a single layer")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--lambdas", type=floats, default=[1e-5], help="one, or one per layer (centre last)")
    p.add_argument("--steps", type=int, default=400)
    p.add_argument("--seeds", default="0")
    p.add_argument("--distance", choices=["cosine", "euclidean"], default="cosine")
    p.add_argument("--split", choices=["final", "fold1", "fold2", "fold3"], default="fold1")
    p.add_argument("--held-out-seed", type=int, default=0)
    p.add_argument("--gamma", type=float)
    p.add_argument("--every", type=int, default=0, help="also report each so many steps")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)

    data = load_data(a.data_dir, a.features)
    names = a.semantics.split(",")
    semantics = semantics_of(data, names, a.scale)
    split = make_split(data, a.split, held_out_seed=a.held_out_seed)
    for seed in (int(s) for s in a.seeds.split(",")):
        model = DEM([u.shape[1] for u in semantics], a.hidden, data["x"].shape[1], a.lambdas,
                    a.modality_weight, seed)

        def report(step, loss):
            e = Evaluation(data, split, semantics, model, a.distance)
            print(json.dumps({"step": step, "loss": loss, **e.summary(a.gamma)}), flush=True)

        loss, speed = train(data, split, semantics, model, a.lr, a.steps, a.batching, a.batch, seed,
                            a.every, report)
        e = Evaluation(data, split, semantics, model, a.distance)
        print(json.dumps({"split": a.split, "semantics": names, "batching": a.batching, "seed": seed,
                          "steps": a.steps, "loss": loss, "steps_per_second": round(speed, 2),
                          **e.summary(a.gamma)}), flush=True)


if __name__ == "__main__":
    main()
