"""The PyTorch half of backbone.py: the networks as torchvision and Hugging Face have them, with random
weights, and the forms in which they are timed. Imported where PyTorch is installed."""
import copy
import statistics
import time

import torch
from torch import nn

BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs)]


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.body = nn.Sequential(*conv_norm(inputs, width, 1), nn.ReLU(inplace=True),
                                  *conv_norm(width, width, 3, stride), nn.ReLU(inplace=True),
                                  *conv_norm(width, 4 * width, 1))
        self.shortcut = nn.Identity() if inputs == 4 * width and stride == 1 else \
            nn.Sequential(*conv_norm(inputs, 4 * width, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.body(x) + self.shortcut(x))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        layers = [*conv_norm(inputs, wide, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        self.body = nn.Sequential(*layers, *conv_norm(wide, wide, 3, stride, wide), nn.ReLU6(inplace=True),
                                  *conv_norm(wide, outputs, 1))
        self.add = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


def resnet(blocks):
    layers, inputs = [*conv_norm(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)], 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for i in range(count):
            layers.append(Bottleneck(inputs, width, 2 if stage and not i else 1))
            inputs = 4 * width
    return nn.Sequential(*layers)


def mobilenet():
    layers, inputs = [*conv_norm(3, 32, 3, 2), nn.ReLU6(inplace=True)], 32
    for expansion, outputs, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                              (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            layers.append(InvertedResidual(inputs, outputs, 1 if i else stride, expansion))
            inputs = outputs
    return nn.Sequential(*layers, *conv_norm(inputs, 1280, 1), nn.ReLU6(inplace=True))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        p = torch.softmax(q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5, -1)
        return self.out((p @ v).transpose(1, 2).reshape(n, t, d))


class ViT(nn.Module):
    def __init__(self, size, width=768, heads=12, layers=12, patch=16):
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList(nn.ModuleList([
            nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width),
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))])
            for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        for norm1, attention, norm2, mlp in self.blocks:
            x = x + attention(norm1(x))
            x = x + mlp(norm2(x))
        return self.norm(x)


class WindowAttention(nn.Module):
    """Attention of (n, windows, 49, C) with a bias for relative positions; the rows of its table and
    the mask of shifted windows are made once, as published implementations do."""
    def __init__(self, width, heads, window, mask):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.table = nn.Parameter(0.02 * torch.randn((2 * window - 1) ** 2, heads))
        y, x = (t.reshape(-1) for t in torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
        rows = (y[:, None] - y + window - 1) * (2 * window - 1) + x[:, None] - x + window - 1
        self.register_buffer("rows", rows)
        self.register_buffer("mask", mask)

    def forward(self, x):
        n, w, t, d = x.shape
        q, k, v = self.qkv(x).view(n, w, t, 3, self.heads, d // self.heads).permute(3, 0, 1, 4, 2, 5)
        scores = q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5 + self.table[self.rows].permute(2, 0, 1)
        if self.mask is not None:
            scores = scores + self.mask
        return self.out((torch.softmax(scores, -1) @ v).transpose(2, 3).reshape(n, w, t, d))


class SwinBlock(nn.Module):
    def __init__(self, width, heads, side, window, shift):
        super().__init__()
        self.side, self.window, self.shift = side, window, shift if side > window else 0
        mask = None
        if self.shift:
            part = torch.zeros(side)
            part[side - window:], part[side - shift:] = 1, 2
            label = self.split((3 * part[:, None] + part)[None, :, :, None]).squeeze(-1)[0]
            mask = torch.where(label[:, None] == label[:, :, None], 0.0, -100.0)[:, None]
        self.norm1, self.attention = nn.LayerNorm(width), WindowAttention(width, heads, window, mask)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def split(self, x):
        n, w, c = self.side // self.window, self.window, x.shape[-1]
        return x.view(-1, n, w, n, w, c).transpose(2, 3).reshape(-1, n * n, w * w, c)

    def forward(self, x):
        n, w, s = self.side // self.window, self.window, self.shift
        y = self.norm1(x)
        y = self.attention(self.split(torch.roll(y, (-s, -s), (1, 2)) if s else y))
        y = y.view(-1, n, n, w, w, x.shape[-1]).transpose(2, 3).reshape(x.shape)
        x = x + (torch.roll(y, (s, s), (1, 2)) if s else y)
        return x + self.mlp(self.norm2(x))


class Merging(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        parts = [x[:, i % 2::2, i // 2::2] for i in range(4)]
        return self.reduce(self.norm(torch.cat(parts, -1))).float()


class Swin(nn.Module):
    """For pictures whose maps windows of 7 x 7 divide. Normalisation in f32, also under autocast."""
    def __init__(self, size, width, depths, window=7, patch=4):
        super().__init__()
        self.patch, self.norm0 = nn.Conv2d(3, width, patch, patch), nn.LayerNorm(width)
        layers, side = [], size // patch
        if side % (8 * window):
            raise SystemExit(f"the PyTorch half takes multiples of {8 * window * patch} pixels only")
        for stage, depth in enumerate(depths):
            layers += [SwinBlock(width, width // 32, side, window, i % 2 * (window // 2)) for i in range(depth)]
            if stage + 1 < len(depths):
                layers.append(Merging(width))
                width, side = 2 * width, side // 2
        self.layers, self.norm = nn.Sequential(*layers), nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm0(self.patch(x).permute(0, 2, 3, 1).float())
        return self.norm(self.layers(x)).flatten(1, 2)


SWIN = {"swin_t": (96, (2, 2, 6, 2)), "swin_b": (128, (2, 2, 18, 2))}


def fold(model):
    """Every batch norm into the convolution before it."""
    model = copy.deepcopy(model)
    for module in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        layers = list(module)
        for i in range(1, len(layers)):
            if isinstance(layers[i], nn.BatchNorm2d):
                module[i - 1] = nn.utils.fusion.fuse_conv_bn_eval(layers[i - 1], layers[i])
                module[i] = nn.Identity()
    return model


class Peer:
    def __init__(self, model, x, last=False, bf16=False):
        self.bf16, memory = bf16, torch.channels_last if last else torch.contiguous_format
        self.model, self.x = copy.deepcopy(model).to(memory_format=memory), x.to(memory_format=memory)

    @torch.no_grad()
    def ms(self, steps):
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                y = self.model(self.x)
                y.mean((2, 3) if y.dim() == 4 else 1)
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times)


def make_peers(a):
    torch.manual_seed(1)
    x = torch.randn(a.batch, 3, a.image_size, a.image_size)
    if a.arch == "vit_b_16" or a.arch in SWIN:
        model = (Swin(a.image_size, *SWIN[a.arch]) if a.arch in SWIN else ViT(a.image_size)).eval()
        return {"f32": {"f32": Peer(model, x)}, "bf16": {"bf16": Peer(model, x, bf16=True)}}
    model = (mobilenet() if a.arch == "mobilenet_v2" else resnet(BLOCKS[a.arch])).eval()
    folded = fold(model)
    with torch.no_grad():
        assert torch.allclose(model(x[:1]), folded(x[:1]), rtol=1e-3, atol=1e-4)
    return {"f32": {"NCHW f32": Peer(model, x), "channels-last f32": Peer(model, x, True),
                    "folded NCHW f32": Peer(folded, x), "folded channels-last f32": Peer(folded, x, True)},
            "bf16": {"NCHW bf16": Peer(model, x, bf16=True), "channels-last bf16": Peer(model, x, True, True),
                     "folded channels-last bf16": Peer(folded, x, True, True)}}
