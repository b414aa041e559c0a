"""The PyTorch half of duet.py: the network, its losses, and the forms in which a mini-batch is timed.
Imported where PyTorch is installed."""
import random
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

from duet_shape import A, B, C, GROUPS, H, HEADS, INNER, MASK, PATCH, SIZE, TOKENS, WORDS


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
