#!/usr/bin/env python3
"""CNZSL training steps: `unseen bench cnzsl` against PyTorch, interleaved in one run.

usage: cnzsl.py UNSEEN [--rounds N] [--steps N] [--threads N] [--json FILE]

Both do the same step: B images of seen classes, prototypes of all seen classes through two
standardisations by the variance over classes, scaled cosines, cross-entropy, L2 on all parameters,
Adam; in f32, since variances of columns that hardly vary suffer in bf16. PyTorch runs
  plain     as published: images and prototypes scaled to length 5 in every step, Adam of torch.optim
  lean      images divided by their norms once, foreach Adam
"""
import figures
import steps

torch = figures.find_torch()

A, H, D, B, K, N = 312, 1024, 2048, 256, 200, 7057
LR, DECAY, SCALE = 5e-4, 1e-4, 25


def make_data():
    generator = torch.Generator().manual_seed(1)
    attributes = torch.rand(K, A, generator=generator)
    features = torch.rand(N, D, generator=generator) * (torch.rand(N, D, generator=generator) < 0.5)
    seen = torch.tensor([c for c in range(K) if c % 4 != 3])
    labels = torch.randint(0, len(seen), (N,), generator=generator)
    rows = attributes[seen]
    return rows / rows.norm(dim=1, keepdim=True) * A ** 0.5, features, labels


class Plain:
    """The published formulation."""

    foreach = False

    def __init__(self, data):
        self.rows, self.features, self.labels = data
        self.layers = [torch.nn.Linear(A, H), torch.nn.Linear(H, H), torch.nn.Linear(H, D)]
        with torch.no_grad():
            self.layers[2].weight.uniform_(-(3 / (H * D)) ** 0.5, (3 / (H * D)) ** 0.5)
        self.running = [[torch.zeros(H), torch.ones(H)] for _ in range(2)]
        self.optimizer = torch.optim.Adam([p for layer in self.layers for p in layer.parameters()], lr=LR,
                                          weight_decay=DECAY, foreach=self.foreach)
        self.order, self.at = torch.randperm(N), 0

    def batch(self):
        if self.at + B > N:
            self.order, self.at = torch.randperm(N), 0
        images = self.order[self.at:self.at + B]
        self.at += B
        return self.features[images], self.labels[images]

    def standardise(self, z, k):
        mean, variance = z.mean(dim=0), z.var(dim=0)
        with torch.no_grad():
            self.running[k][0].lerp_(mean, 0.1)
            self.running[k][1].lerp_(variance, 0.1)
        return (z - mean) / (variance + 1e-5)

    def prototypes(self):
        u = self.layers[1](torch.relu(self.layers[0](self.rows)))
        return torch.relu(self.layers[2](self.standardise(torch.relu(self.standardise(u, 0)), 1)))

    def scores(self, x):
        p = self.prototypes()
        return (SCALE ** 0.5 * x / x.norm(dim=1, keepdim=True)) @ (
            SCALE ** 0.5 * p / p.norm(dim=1, keepdim=True)).t()

    def step(self):
        x, y = self.batch()
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.scores(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()


class Lean(Plain):
    """Norms of images are divided by once, before training."""

    foreach = True

    def __init__(self, data):
        super().__init__(data)
        self.features = SCALE * self.features / self.features.norm(dim=1, keepdim=True)

    def scores(self, x):
        return x @ torch.nn.functional.normalize(self.prototypes()).t()


def make_peers():
    data = make_data()
    return {"plain f32": Plain(data), "lean f32": Lean(data)}


if __name__ == "__main__":
    steps.compare(torch, "cnzsl", {"attributes": A, "hidden": H, "features": D, "batch": B, "classes": K,
                                   "images": N}, make_peers, ("f32",))
