#!/usr/bin/env python3
"""Independent PyTorch reference of the Swin transformer (Liu et al.; ICCV 2021): small random
weights under Hugging Face's names, pictures of several sizes, the states of every stage and the
gradients of a loss with respect to all weights and the pictures. Needs numpy and torch.

usage: make_swin_reference.py OUT.safetensors

Written from the paper's formulas and the documented behaviour of Hugging Face's model (zero
padding on the right and below, behind the first normalisation of a block; a map that is not larger
than a window is one window without a shift; -100 between tokens of a shifted window that are no
neighbours). Computed in float64 from the stored float32 numbers, then rounded to float32.

Tensors: the weights; for every case NAME
  in.NAME.pixels (n, 3, S, S)   in.NAME.R (n, 1 + g^2, H)
  out.NAME.map.S (n, h^2, C_s)  result of stage S before merging
  out.NAME.states (n, 1 + g^2, H)  mean over the last map (the pooler's output), then its states
  loss.NAME [1] = sum(states R)   grad.NAME.<weight> (of "small" the tables only), grad.NAME.pixels
"""
import json
import struct
import sys

import numpy as np
import torch
from torch.nn.functional import conv2d, gelu, layer_norm, linear, pad

PATCH, WIDTH, RATIO, WINDOW, EPS = 2, 8, 2, 4, 1e-5
DEPTHS, HEADS = (2, 2, 1), (2, 4, 4)
# name: pictures, pixels a side, what it is for
CASES = {"even": (2, 16),   # 8 x 8 tokens: windows fit, block 1 is shifted; then one window of 4 x 4
         "padded": (2, 27),  # pixels, maps (14, 7) and merging (7 -> 4) are filled up; shifted
         "small": (2, 5)}    # 3 x 3, 2 x 2, 1 x 1 tokens: windows shrink to the map


def weights(generator):
    w = {}

    def add(name, *shape, mean=0.0, scale=0.25):
        w[name] = (mean + scale * torch.randn(*shape, generator=generator)).float()

    def norm(name, n):
        add(name + ".weight", n, mean=1.0, scale=0.1)
        add(name + ".bias", n, scale=0.1)

    def dense(name, out, inputs, bias=True):
        add(name + ".weight", out, inputs, scale=1.5 / inputs ** 0.5)
        if bias:
            add(name + ".bias", out, scale=0.2)

    add("swin.embeddings.patch_embeddings.projection.weight", WIDTH, 3, PATCH, PATCH, scale=0.4)
    add("swin.embeddings.patch_embeddings.projection.bias", WIDTH)
    norm("swin.embeddings.norm", WIDTH)
    for s, (depth, heads) in enumerate(zip(DEPTHS, HEADS)):
        c = WIDTH << s
        for b in range(depth):
            at = f"swin.encoder.layers.{s}.blocks.{b}."
            norm(at + "layernorm_before", c)
            add(at + "attention.self.relative_position_bias_table", (2 * WINDOW - 1) ** 2, heads, scale=1.0)
            for part in ("query", "key", "value"):
                dense(at + "attention.self." + part, c, c)
            dense(at + "attention.output.dense", c, c)
            norm(at + "layernorm_after", c)
            dense(at + "intermediate.dense", RATIO * c, c)
            dense(at + "output.dense", c, RATIO * c)
        if s + 1 < len(DEPTHS):
            norm(f"swin.encoder.layers.{s}.downsample.norm", 4 * c)
            dense(f"swin.encoder.layers.{s}.downsample.reduction", 2 * c, 4 * c, bias=False)
    norm("swin.layernorm", WIDTH << (len(DEPTHS) - 1))
    return w


def norm(w, name, x):
    return layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], EPS)


def dense(w, name, x):
    return linear(x, w[name + ".weight"], w.get(name + ".bias"))


def windows_of(x, size):
    """(n, h, w, c) -> (n, windows, size^2, c)"""
    n, h, w, c = x.shape
    x = x.reshape(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, -1, size * size, c)


def map_of(x, size, h, w):
    n, c = x.shape[0], x.shape[-1]
    x = x.reshape(n, h // size, w // size, size, size, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h, w, c)


def position_bias(table, size):
    """Entry (dy + W - 1, dx + W - 1) of the table for every pair of tokens: (heads, size^2, size^2)"""
    side = 2 * WINDOW - 1
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    y, x = y.reshape(-1), x.reshape(-1)
    dy, dx = y[:, None] - y[None, :], x[:, None] - x[None, :]
    grid = table.view(side, side, -1)
    return grid[dy + WINDOW - 1, dx + WINDOW - 1].permute(2, 0, 1)


def neighbours(side, size, shift):
    """0 between tokens of a window of the rolled map that were on the same side of its seams,
    -100 between others: (windows, size^2, size^2)"""
    label = torch.zeros(1, side, side, 1)
    part = torch.zeros(side)
    part[side - size:side - shift] = 1
    part[side - shift:] = 2
    label[0, :, :, 0] = 3 * part[:, None] + part[None, :]
    label = windows_of(label, size)[0, :, :, 0]
    return torch.where(label[:, :, None] == label[:, None, :], 0.0, -100.0)


def block(w, at, x, heads, shift):
    """x (n, h, w, c) of a square map"""
    n, side, _, c = x.shape
    size = min(side, WINDOW)
    if side <= WINDOW:
        shift = 0
    y = norm(w, at + "layernorm_before", x)
    extra = -side % size
    y = pad(y, (0, 0, 0, extra, 0, extra))
    whole = side + extra
    y = windows_of(torch.roll(y, (-shift, -shift), (1, 2)), size)
    q, k, v = (dense(w, at + "attention.self." + part, y).unflatten(-1, (heads, c // heads)).transpose(2, 3)
               for part in ("query", "key", "value"))  # (n, windows, heads, size^2, d)
    scores = q @ k.transpose(-1, -2) / (c // heads) ** 0.5
    scores = scores + position_bias(w[at + "attention.self.relative_position_bias_table"], size)
    if shift:
        scores = scores + neighbours(whole, size, shift).to(x.dtype)[:, None]
    y = (torch.softmax(scores, -1) @ v).transpose(2, 3).flatten(-2)
    y = map_of(dense(w, at + "attention.output.dense", y), size, whole, whole)
    x = x + torch.roll(y, (shift, shift), (1, 2))[:, :side, :side]
    y = norm(w, at + "layernorm_after", x)
    return x + dense(w, at + "output.dense", gelu(dense(w, at + "intermediate.dense", y)))


def merge(w, at, x):
    odd = x.shape[1] % 2
    x = pad(x, (0, 0, 0, odd, 0, odd))
    x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
    return dense(w, at + "reduction", norm(w, at + "norm", x))


def forward(w, pixels):
    extra = -pixels.shape[-1] % PATCH
    name = "swin.embeddings.patch_embeddings.projection"
    x = conv2d(pad(pixels, (0, extra, 0, extra)), w[name + ".weight"], w[name + ".bias"], stride=PATCH)
    x = norm(w, "swin.embeddings.norm", x.permute(0, 2, 3, 1))
    maps = []
    for s, (depth, heads) in enumerate(zip(DEPTHS, HEADS)):
        for b in range(depth):
            x = block(w, f"swin.encoder.layers.{s}.blocks.{b}.", x, heads, WINDOW // 2 if b % 2 else 0)
        maps.append(x.flatten(1, 2))
        if s + 1 < len(DEPTHS):
            x = merge(w, f"swin.encoder.layers.{s}.downsample.", x)
    x = norm(w, "swin.layernorm", x).flatten(1, 2)
    return maps, torch.cat([x.mean(1, keepdim=True), x], 1)


def write(path, tensors):
    """Wide elements first, so that every tensor is aligned."""
    kinds = {"float32": "F32", "int64": "I64"}
    header, parts, at = {"__metadata__": {"eps": str(EPS)}}, [], 0
    for name, value in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        header[name] = {"dtype": kinds[str(value.dtype)], "shape": list(value.shape),
                        "data_offsets": [at, at + value.nbytes]}
        parts.append(np.ascontiguousarray(value).tobytes())
        at += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def main():
    generator = torch.Generator().manual_seed(20210325)
    stored = weights(generator)
    out = {name: value.numpy() for name, value in stored.items()}
    index = np.arange(WINDOW)
    y, x = np.repeat(index, WINDOW), np.tile(index, WINDOW)
    positions = (y[:, None] - y + WINDOW - 1) * (2 * WINDOW - 1) + x[:, None] - x + WINDOW - 1
    out["swin.encoder.layers.0.blocks.0.attention.self.relative_position_index"] = positions.astype(np.int64)
    for case, (n, size) in CASES.items():
        pixels = torch.randn(n, 3, size, size, generator=generator)
        w = {name: value.double().requires_grad_() for name, value in stored.items()}
        x = pixels.double().requires_grad_()
        maps, states = forward(w, x)
        R = torch.randn(*states.shape, generator=generator)
        loss = (states * R).sum()
        loss.backward()
        out |= {f"in.{case}.pixels": pixels.numpy(), f"in.{case}.R": R.numpy(),
                f"loss.{case}": loss.detach().float().reshape(1).numpy(),
                f"out.{case}.states": states.detach().float().numpy(),
                f"grad.{case}.pixels": x.grad.float().numpy()}
        for s, value in enumerate(maps):
            out[f"out.{case}.map.{s}"] = value.detach().float().numpy()
        for name, value in w.items():
            if case != "small" or name.endswith("table"):
                out[f"grad.{case}.{name}"] = value.grad.float().numpy()
    write(sys.argv[1], out)


if __name__ == "__main__":
    main()
