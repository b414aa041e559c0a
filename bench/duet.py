#!/usr/bin/env python3
"""DUET mini-batches: `unseen bench duet` against PyTorch, interleaved in one run.

usage: duet.py [UNSEEN] [--image-layers N] [--text-layers N] [--rounds N] [--steps N] [--threads N]
               [--best] [--scaling] [--chunk N]

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
sides (OMP_WAIT_POLICY=passive) unless the environment says otherwise.

With UNSEEN the end computes, it does not measure, what an epoch of CUB at full depth takes
(7057 images, accumulate 10): the engine's products at full depth at the rate measured at this
depth; and on 64 cores by Amdahl's law from the speed of 1 and of 2 threads (--scaling).
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time

# Libraries read these when loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

H, HEADS, INNER, WORDS, A, C, B, SIZE, PATCH, DEPTH = 768, 12, 3072, 30522, 312, 200, 7, 224, 16, 12
GROUPS, MASK, IMAGES, ACCUMULATE, MASK_PRO = 26, 103, 7057, 10, 0.4
TOKENS = (SIZE // PATCH) ** 2 + 1           # CLS and patches; the distillation token stays behind
KINDS = {"masked": 1, "prompt": 0}


class Norm(nn.LayerNorm):
    def __init__(self):
        super().__init__(H, 1e-12)

    def forward(self, x):
        return super().forward(x.float())   # PyTorch 1.13 normalises no bf16 with f32 weights


class Attention(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(H, H) for _ in range(4))
        self.p = p

    def forward(self, x, y, mask):
        def split(z):
            return z.view(*z.shape[:2], HEADS, -1).transpose(1, 2)
        s = split(self.query(x)) @ split(self.key(y)).transpose(-1, -2) * (H // HEADS) ** -0.5
        if mask is not None:
            s = s + mask
        a = F.dropout(torch.softmax(s, -1), self.p) if self.p else torch.softmax(s, -1)
        return self.output((a @ split(self.value(y))).transpose(1, 2).reshape(x.shape))


class Feed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(H, INNER), nn.GELU(), nn.Linear(INNER, H))


class Block(nn.Module):
    def __init__(self, p, pre):
        super().__init__()
        self.p, self.pre = p, pre
        self.attention, self.feed = Attention(p), Feed()
        self.norm1, self.norm2 = Norm(), Norm()

    def forward(self, x, mask=None):
        if self.pre:
            z = self.norm1(x)
            x = x + self.attention(z, z, None)
            return x + self.feed(self.norm2(x))
        x = self.norm1(x + F.dropout(self.attention(x, x, mask), self.p))
        return self.norm2(x + F.dropout(self.feed(x), self.p))


class DUET(nn.Module):
    def __init__(self, image_layers, text_layers):
        super().__init__()
        self.patch = nn.Conv2d(3, H, PATCH, PATCH)
        self.tokens = nn.Parameter(torch.randn(1, 2, H) * 0.02)
        self.place = nn.Parameter(torch.randn(1, TOKENS + 1, H) * 0.02)
        self.vision = nn.ModuleList(Block(0, True) for _ in range(image_layers))
        self.vision_norm = Norm()
        self.words = nn.Embedding(WORDS, H, padding_idx=0)
        self.positions, self.types = nn.Embedding(250, H), nn.Embedding(2, H)
        self.text_norm = Norm()
        self.text = nn.ModuleList(Block(0.1, False) for _ in range(text_layers))
        self.cross, self.cross_norm = Attention(0.1), Norm()
        self.see, self.tell = Block(0.1, False), Block(0.1, False)
        self.scores = nn.Linear(H, A)
        self.project = nn.Sequential(nn.Linear(H, H), nn.ReLU(), nn.Linear(H, H))
        self.head = nn.Sequential(nn.Linear(H, H), nn.GELU(), Norm())
        self.decoder = nn.Linear(H, WORDS)

    def forward(self, pictures, ids):
        v = self.patch(pictures).flatten(2).transpose(1, 2)
        v = torch.cat([self.tokens.expand(len(v), -1, -1), v], 1) + self.place
        for block in self.vision:
            v = block(v)
        v = self.vision_norm(v)
        v = torch.cat([v[:, :1], v[:, 2:]], 1)
        mask = (ids == 0)[:, None, None, :] * -10000.0
        x = self.words(ids) + self.positions.weight[:ids.shape[1]] + self.types.weight[0]
        x = F.dropout(self.text_norm(x), 0.1)
        for block in self.text:
            x = block(x, mask)
        l1 = self.cross_norm(x + F.dropout(self.cross(x, v, None), 0.1))
        v1 = self.cross_norm(v + F.dropout(self.cross(v, x, mask), 0.1))
        return self.tell(l1, mask), self.see(v1)


def text(rng):
    """Pieces of one text: [CLS], 26 times group (2 words), colon and names, bars, [SEP]."""
    names = [sum(rng.random() < 0.075 for _ in range(A // GROUPS)) for _ in range(GROUPS)]
    return 106 + sum(max(0, 2 * n - 1) for n in names)


def padded(lengths, mark):
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for i, n in enumerate(lengths):
        ids[i, :n] = torch.randint(999, WORDS, (n,))
        if mark:
            ids[i, n // 2] = MASK
    return ids


class Peer:
    def __init__(self, a, naive, bf16=False):
        self.model, self.naive, self.bf16, self.chunk = a.model, naive, bf16, a.chunk
        g = torch.Generator().manual_seed(1)
        self.att = F.normalize(torch.rand(C, A, generator=g), dim=1)
        self.seen = torch.tensor([c for c in range(C) if c % 4 != 3])
        self.bias = torch.ones(C)
        self.bias[self.seen] = -1
        self.rng = random.Random(1)
        self.optimizer = a.optimizer

    def class_losses(self, first, y):
        g = self.model.scores(first).float()
        s = g @ self.att.t()
        unseen = torch.softmax(s + self.bias, 1)[:, self.bias > 0].sum(1)
        return F.cross_entropy(s[:, self.seen], y) + 1e-2 * F.mse_loss(g, self.att[self.seen[y]]) \
            - 1e-3 * unseen.mean().log()

    def words_loss(self, states, ids, labels):
        logits = self.model.decoder(self.model.head(states)).float()
        return 5 * F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="sum") / len(ids)

    def contrast(self, states):
        """(groups, six, H): the first against the others."""
        f = self.model.project(states).float()
        logits = torch.einsum("gh,gkh->gk", f[:, 0], f[:, 1:])
        return 1e-3 * F.cross_entropy(logits, torch.zeros(len(f), dtype=torch.long), reduction="sum")

    def masked_naive(self):
        ids, labels = padded([text(self.rng) for _ in range(B)], True), None
        y = torch.randint(0, len(self.seen), (B,))
        lang, vis = self.model(torch.randn(B, 3, SIZE, SIZE), ids)
        labels = torch.randint(0, WORDS, ids.shape)
        (self.words_loss(lang, ids, labels) + self.class_losses(vis[:, 0], y)).backward()
        for _ in range(B):
            ids = padded([text(self.rng) for _ in range(6)], True)
            lang, _ = self.model(torch.randn(6, 3, SIZE, SIZE), ids)
            self.contrast(lang[ids == MASK].view(1, 6, H)).backward()

    def masked_best(self):
        for at in range(0, B, self.chunk):
            n = min(self.chunk, B - at)
            ids = padded([text(self.rng) for _ in range(6 * n)], True)
            y = torch.randint(0, len(self.seen), (n,))
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                lang, vis = self.model(torch.randn(6 * n, 3, SIZE, SIZE), ids)
                marked = lang[ids == MASK].view(n, 6, H)
                loss = self.words_loss(marked[:, 0], ids[:n], torch.randint(0, WORDS, (n,))) + \
                    self.class_losses(vis[::6, 0], y) + self.contrast(marked)
            loss.backward()

    def prompt(self):
        y = torch.randint(0, len(self.seen), (B,))
        ids = padded([106], False)
        pictures = torch.randn(2 * B, 3, SIZE, SIZE)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            if self.naive:
                first = torch.cat([self.model(p, ids.expand(B, -1))[1][:, 0] for p in pictures.split(B)])
            else:
                first = self.model(pictures, ids.expand(2 * B, -1))[1][:, 0]
            u = F.normalize(first.float(), dim=1)
            s = u @ u.t() / 0.05
            same = (y.repeat(2)[:, None] == y.repeat(2)[None]) & ~torch.eye(2 * B).roll(B, 0).bool()
            partner = torch.arange(2 * B).roll(B)
            loss = self.class_losses(first[:B], y) + \
                0.05 * F.cross_entropy(s.masked_fill(same, float("-inf")), partner)
        loss.backward()

    def ms(self, kind, steps):
        step = self.prompt if kind == "prompt" else self.masked_naive if self.naive else self.masked_best
        times = []
        for _ in range(steps):
            self.optimizer.zero_grad(set_to_none=True)
            start = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times) if times else 0

    def update_ms(self):
        start = time.perf_counter()
        self.optimizer.step()
        return 1e3 * (time.perf_counter() - start)


def probe(dtype, side=1024, runs=5):
    """PyTorch's own rate of one square product, GFLOP/s."""
    x, times = torch.rand(side, side).to(dtype), []
    for _ in range(runs):
        start = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - start)
    return 2e-9 * side ** 3 / min(times)


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
    r = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    r["ms"] = r["step_ms"]["median"] - r["update_ms"]
    r["flops"] = r["gflops"] * r["step_ms"]["median"] * 1e6
    return r


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


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


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program", nargs="?")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--best", action="store_true", help="also time PyTorch's best formulations")
    p.add_argument("--scaling", action="store_true", help="also time the engine with 1 thread")
    for name, value in (("image-layers", 2), ("text-layers", 2), ("rounds", 3), ("steps", 1), ("warmup", 1),
                        ("chunk", B)):
        p.add_argument("--" + name, type=int, default=value)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    a.model = DUET(a.image_layers, a.text_layers)
    a.optimizer = torch.optim.Adam(a.model.parameters(), lr=3e-5)
    peers = {"naive f32": Peer(a, True)}
    if a.best:
        peers.update({"best f32": Peer(a, False), "best bf16": Peer(a, False, bf16=True)})
    engine = {e: {k: [] for k in KINDS} for e in ("f32", "auto")} if a.program else {}
    others = {name: {k: [] for k in KINDS} for name in peers}
    probes, updates, single = {"PyTorch f32": [], "PyTorch bf16": []}, [], {e: [] for e in engine}
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
            updates.append(peers["naive f32"].update_ms())
            for t, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
                probes["PyTorch " + t].append(probe(dtype))
    print(f"DUET, CUB preset, {a.image_layers} image and {a.text_layers} text layers of {DEPTH}, {a.threads} threads "
          f"({os.environ['OMP_WAIT_POLICY'].lower()} waiting), {a.rounds} rounds of {a.steps}, PyTorch {torch.__version__}")
    print("GEMM probe, GFLOP/s: " + ", ".join(f"{name} {spread(v, '.0f')}" for name, v in probes.items()))
    for name, times in others.items():
        print(f"  PyTorch {name:10s} " + ", ".join(f"{k} {spread(v, '.0f')}" for k, v in times.items()) + " ms")
    print(f"  PyTorch Adam {spread(updates, '.0f')} ms")
    for precision, runs in engine.items():
        mine = {k: [r["ms"] for r in v] for k, v in runs.items()}
        both = [r for v in runs.values() for r in v]
        print(f"  unseen {precision:11s} " + ", ".join(f"{k} {spread(v, '.0f')}" for k, v in mine.items()) +
              f" ms, {statistics.median(r['gflops'] for r in runs['masked']):.0f} GFLOP/s masked; Adam "
              f"{spread([r['update_ms'] for r in both], '.0f')} ms; {max(r['rss_anon_mib'] for r in both) / 1024:.1f} GiB")
        for name, theirs in others.items():
            ratios = {k: [t / u for t, u in zip(theirs[k], mine[k])] for k in KINDS}
            ratios["mixed"] = [t / u for t, u in zip(mixed(theirs), mixed(mine))]
            print(f"      x PyTorch {name}: " + ", ".join(f"{k} {spread(v, '.2f')}" for k, v in ratios.items()))
    if engine:
        scaling = {e: statistics.median(v) for e, v in single.items() if v}
        print(f"computed, not measured: an epoch of CUB, {IMAGES} images, at full depth at these rates")
        estimate(a, engine, scaling)


if __name__ == "__main__":
    main()
