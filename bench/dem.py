#!/usr/bin/env python3
"""DEM training steps: `unseen bench dem` against PyTorch, interleaved in one run.

usage: dem.py UNSEEN [--rounds N] [--steps N] [--threads N] [--json FILE]

Both do the same step: B images of seen classes, class network, squared error, L2
on all parameters, Adam in TensorFlow's form. PyTorch runs
  plain     one row per image, autograd, Adam of torch.optim
  lean      one row per class that occurs (the engine's own formulation), foreach Adam
each in f32 and under bf16 autocast.
"""
import figures
import steps

torch = figures.find_torch()

A, H, D, B, K, N = 312, 1200, 2048, 100, 200, 7057
LR, LAMBDA = 1e-5, 1e-2


def make_data():
    generator = torch.Generator().manual_seed(1)
    attributes = torch.rand(K, A, generator=generator) * 0.1
    features = torch.rand(N, D, generator=generator) * (torch.rand(N, D, generator=generator) < 0.5)
    seen = torch.tensor([c for c in range(K) if c % 4 != 3])
    labels = seen[torch.randint(0, len(seen), (N,), generator=generator)]
    return attributes, features, labels


class Plain:
    """The straightforward port."""

    def __init__(self, data, autocast):
        self.attributes, self.features, self.labels = data
        self.autocast = autocast
        self.w1 = torch.empty(H, A).normal_(0, 0.1).requires_grad_()
        self.b1 = torch.full((H,), 0.1).requires_grad_()
        self.w2 = torch.empty(D, H).normal_(0, 0.1).requires_grad_()
        self.b2 = torch.full((D,), 0.1).requires_grad_()
        # weight_decay is the L2 term's gradient; leaving its value out of the loss only helps PyTorch
        self.optimizer = torch.optim.Adam([self.w1, self.b1, self.w2, self.b2], lr=LR,
                                          weight_decay=LAMBDA, foreach=self.foreach())
        self.order, self.at = torch.randperm(N), 0

    def foreach(self):
        return False

    def batch(self):
        if self.at + B > N:
            self.order, self.at = torch.randperm(N), 0
        images = self.order[self.at:self.at + B]
        self.at += B
        return self.features[images], self.labels[images]

    def network(self, a):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
            hidden = torch.relu(torch.nn.functional.linear(a, self.w1, self.b1))
            return torch.relu(torch.nn.functional.linear(hidden, self.w2, self.b2))

    def loss(self):
        x, y = self.batch()
        return ((self.network(self.attributes[y]).float() - x) ** 2).mean()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()


class Lean(Plain):
    """One row per class: sum_b |f - x_b|^2 = sum_c n_c |f_c - mean_c|^2 + constant."""

    def foreach(self):
        return True

    def loss(self):
        x, y = self.batch()
        classes, row, count = torch.unique(y, return_inverse=True, return_counts=True)
        mean = torch.zeros(len(classes), D).index_add_(0, row, x) / count[:, None]
        constant = ((x - mean[row]) ** 2).sum()
        error = ((self.network(self.attributes[classes]).float() - mean) ** 2).sum(1)
        return ((error * count).sum() + constant) / (B * D)


def make_peers():
    data = make_data()
    return {"plain f32": Plain(data, False), "plain bf16": Plain(data, True),
            "lean f32": Lean(data, False), "lean bf16": Lean(data, True)}


if __name__ == "__main__":
    steps.compare(torch, "dem", {"attributes": A, "hidden": H, "features": D, "batch": B, "classes": K,
                                 "images": N}, make_peers, ("f32", "auto"))
