#!/usr/bin/env python3
"""Region features of the photographs in cub50, in the layout of feature_map_ResNet_101_CUB.hdf5.

usage: make_region_maps.py SHARED OUT.hdf5 [--dtype f32|f16] [--batch N] [--chunked]
                           [--threads N] [--limit N]
       make_region_maps.py --golden FILE        check the network against golden data, write nothing

Reads SHARED/weights/mobilenet_v2.safetensors (torchvision names; padding and preprocessing come
from its metadata), SHARED/weights/attribute_word2vec_300d.safetensors, SHARED/data/cub50 and
SHARED/data/xlsa17/CUB/{att_splits,sent_splits,vgg_fc7}.mat. Needs numpy, scipy, h5py, PIL, torch.

Written (N images that exist, in images.txt order; C of the 200 classes occur):
  feature_map (N, 1280, 7, 7)   MobileNetV2 features[18] after ReLU6, contiguous unless --chunked
  labels (N) int64              0-based into allclasses_names
  allclasses_names (C)          the order of att_splits.mat, restricted to the classes present
  image_files (N)               as in images.txt
  trainval_loc, test_seen_loc, test_unseen_loc, train_loc, val_loc    0-based, in the file's order
  att, original_att (C, A), w2v_att (A, 300)    float64
The index lists are carried over by image name. train_loc and val_loc are as published: they are
not a subset of trainval_loc.

One JSON object on standard output: sizes, and the accuracy of the nearest class mean of pooled
features (trained on trainval_loc, tested on test_seen_loc), a check that images, labels and lists
belong together.
"""
import argparse
import json
import os
import struct
import sys
import time

import numpy as np
import torch
from torch.nn.functional import conv2d, pad

STRIDE2 = (0, 2, 4, 7, 14)
TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64,
         "I32": np.int32, "U8": np.uint8}


def read_safetensors(path):
    """name -> array, and the metadata."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        body = f.read()
    meta, tensors = header.pop("__metadata__", {}), {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        # copied: offsets need not be aligned
        flat = np.frombuffer(body[begin:end], dtype=np.dtype(TYPES[t["dtype"]]).newbyteorder("<"))
        tensors[name] = flat.reshape(t["shape"]).copy()
    return tensors, meta


# ---------------------------------------------------------------- network

class MobileNetV2:
    """features[0..18] from torchvision's tensor names, batch norm folded into the convolutions."""

    def __init__(self, tensors, tf_same, eps=1e-5):
        self.tf_same, self.blocks, i = tf_same, [], 0

        def fold(conv, norm):
            t = {k: torch.from_numpy(tensors["%s.%s" % (norm, k)]).double()
                 for k in ("weight", "bias", "running_mean", "running_var")}
            scale = t["weight"] / (t["running_var"] + eps).sqrt()
            w = torch.from_numpy(tensors[conv + ".weight"]).double() * scale[:, None, None, None]
            return w.float(), (t["bias"] - t["running_mean"] * scale).float()

        while True:
            name, stride = "features.%d" % i, 2 if i in STRIDE2 else 1
            if name + ".0.weight" in tensors:                      # first and last layer
                convs = [(*fold(name + ".0", name + ".1"), stride, True)]
            elif name + ".conv.0.0.weight" in tensors:
                convs, j = [], 0
                while "%s.conv.%d.0.weight" % (name, j) in tensors:
                    inner = "%s.conv.%d" % (name, j)
                    w, b = fold(inner + ".0", inner + ".1")
                    convs.append((w, b, stride if w.shape[2] > 1 else 1, True))
                    j += 1
                convs.append((*fold("%s.conv.%d" % (name, j), "%s.conv.%d" % (name, j + 1)), 1, False))
            else:
                break
            inputs = convs[0][0].shape[1] * (1 if convs[0][0].shape[2] == 1 else convs[0][0].shape[0])
            shortcut = len(convs) > 1 and stride == 1 and inputs == convs[-1][0].shape[0]
            self.blocks.append((convs, shortcut))
            i += 1

    def conv(self, x, w, b, stride, relu6):
        k = w.shape[2]
        groups = x.shape[1] // w.shape[1]
        if k > 1 and self.tf_same:
            edges = []
            for n in (x.shape[3], x.shape[2]):                     # pad wants the last axis first
                total = max((-(-n // stride) - 1) * stride + k - n, 0)
                edges += [total // 2, total - total // 2]
            y = conv2d(pad(x, edges), w, b, stride, 0, groups=groups)
        else:
            y = conv2d(x, w, b, stride, k // 2, groups=groups)
        return y.clamp_(0, 6) if relu6 else y

    @torch.no_grad()
    def __call__(self, x, keep=None):
        for i, (convs, shortcut) in enumerate(self.blocks):
            y = x
            for c in convs:
                y = self.conv(y, *c)
            x = x + y if shortcut else y
            if keep is not None:
                keep[i] = x
        return x


def check_golden(path):
    t, meta = read_safetensors(path)
    net, kept, worst = MobileNetV2(t, meta.get("padding") == "tf_same"), {}, 0.0
    t["out.features.%d" % (len(net.blocks) - 1)] = t["out.feature_map"]
    net(torch.from_numpy(t["in.image"]), kept)
    for name in sorted(n for n in t if n.startswith("out.features.")):
        ref = t[name]
        error = np.abs(kept[int(name.rsplit(".", 1)[1])].numpy() - ref).max() / np.abs(ref).max()
        worst = max(worst, float(error))
    print(json.dumps({"golden": os.path.basename(path), "blocks": len(net.blocks), "worst": worst}))
    return 0 if worst < 2e-5 else 1


# ---------------------------------------------------------------- images

def load_crop(path, recipe):
    """PIL's own resampler is the reference. (3, crop, crop) normalised float32."""
    from PIL import Image
    image = Image.open(path).convert("RGB")                         # EXIF orientation is ignored
    w, h = image.size
    short, crop = recipe["resize"], recipe["crop"]
    size = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    kind = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}[recipe["interpolation"]]
    image = image.resize(size, kind)
    left, top = int(round((size[0] - crop) / 2)), int(round((size[1] - crop) / 2))
    x = np.asarray(image.crop((left, top, left + crop, top + crop)), dtype=np.float32) / np.float32(255)
    return ((x - np.float32(recipe["mean"])) / np.float32(recipe["std"])).transpose(2, 0, 1)


# ---------------------------------------------------------------- data set

def load_split(shared):
    import scipy.io

    def mat(name, only=None):
        return scipy.io.loadmat(os.path.join(shared, "data", "xlsa17", "CUB", name), variable_names=only)

    def strings(cells):
        return [str(c[0]) for c in cells.ravel()]

    root = os.path.join(shared, "data", "cub50")
    with open(os.path.join(root, "images.txt")) as f:
        listed = [line.split()[1] for line in f if line.strip()]
    files = [n for n in listed if os.path.exists(os.path.join(root, "images", n))]
    place = {name: i for i, name in enumerate(files)}

    att, sent, order = mat("att_splits.mat"), mat("sent_splits.mat"), mat("vgg_fc7.mat", ["image_files", "labels"])
    names = strings(att["allclasses_names"])
    full = [n.split("/images/")[1] for n in strings(order["image_files"])]
    labels = order["labels"].ravel().astype(np.int64) - 1
    if not all(names[l] == n.split("/")[0] for l, n in zip(labels, full)):
        raise SystemExit("vgg_fc7.mat: labels and image_files disagree")
    if sorted(full) != sorted(listed):
        raise SystemExit("vgg_fc7.mat and images.txt list different images")

    present = {n.split("/")[0] for n in files}
    classes = [i for i, n in enumerate(names) if n in present]
    new_label = {names[c]: k for k, c in enumerate(classes)}
    out = {"files": files, "names": [names[c] for c in classes],
           "labels": np.array([new_label[n.split("/")[0]] for n in files], dtype=np.int64),
           "att": np.ascontiguousarray(att["att"].T[classes], dtype=np.float64),
           "original_att": np.ascontiguousarray(att["original_att"].T[classes], dtype=np.float64),
           "lists": {}}
    for source, keys in ((att, ("trainval_loc", "test_seen_loc", "test_unseen_loc")),
                         (sent, ("train_loc", "val_loc"))):
        for key in keys:
            if key in source:
                chosen = [full[i - 1] for i in source[key].ravel().astype(np.int64)]
                out["lists"][key] = np.array([place[n] for n in chosen if n in place], dtype=np.int64)
    lists = out["lists"]
    together = np.concatenate([lists[k] for k in ("trainval_loc", "test_seen_loc", "test_unseen_loc")])
    if not np.array_equal(np.sort(together), np.arange(len(files))):
        raise SystemExit("the three lists do not cover every image exactly once")
    if np.intersect1d(out["labels"][lists["trainval_loc"]], out["labels"][lists["test_unseen_loc"]]).size:
        raise SystemExit("a class is both seen and unseen")
    return out


def nearest_mean(pooled, labels, train, test):
    classes = np.unique(labels[train])
    unit = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
    means = np.stack([unit[train][labels[train] == c].mean(0) for c in classes])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    answer = classes[(unit[test] @ means.T).argmax(1)]
    return float(np.mean([(answer[labels[test] == c] == c).mean() for c in np.unique(labels[test])]))


def main():
    p = argparse.ArgumentParser(description="cub50 region maps; see the head of this file")
    p.add_argument("shared", nargs="?")
    p.add_argument("out", nargs="?")
    p.add_argument("--dtype", choices=["f32", "f16"], default="f32")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--chunked", action="store_true", help="one image a chunk, deflate")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--limit", type=int, default=0, help="fill in the first N images only (a trial run)")
    p.add_argument("--golden")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.golden:
        return check_golden(a.golden)
    if not a.out:
        p.error("SHARED and OUT.hdf5 are needed")
    import h5py

    tensors, meta = read_safetensors(os.path.join(a.shared, "weights", "mobilenet_v2.safetensors"))
    net = MobileNetV2(tensors, meta.get("padding") == "tf_same")
    recipe = json.loads(meta["preprocess"])
    words = read_safetensors(os.path.join(a.shared, "weights", "attribute_word2vec_300d.safetensors"))[0]["cub"]
    split = load_split(a.shared)
    files, labels, lists = split["files"], split["labels"], split["lists"]
    channels = net.blocks[-1][0][0][0].shape[0]
    side = -(-recipe["crop"] // 32)
    shape, pooled = (len(files), channels, side, side), np.zeros((len(files), channels), np.float32)
    count, start, partial = a.limit or len(files), time.time(), a.out + ".partial"
    with h5py.File(partial, "w") as h:
        extra = {"chunks": (1, *shape[1:]), "compression": "gzip", "compression_opts": 1} if a.chunked else {}
        maps = h.create_dataset("feature_map", shape, {"f32": "<f4", "f16": "<f2"}[a.dtype], **extra)
        for begin in range(0, count, a.batch):
            some = files[begin:min(begin + a.batch, count)]
            x = np.stack([load_crop(os.path.join(a.shared, "data", "cub50", "images", n), recipe) for n in some])
            y = net(torch.from_numpy(x)).numpy()
            maps[begin:begin + len(some)] = y
            pooled[begin:begin + len(some)] = y.mean((2, 3))
            if sys.stderr.isatty():
                print("\r%d of %d" % (begin + len(some), count), end="", file=sys.stderr)
        h["labels"] = labels
        for key, value in lists.items():
            h[key] = value
        h["att"], h["original_att"], h["w2v_att"] = split["att"], split["original_att"], words.astype(np.float64)
        text = h5py.string_dtype("utf-8")
        h.create_dataset("allclasses_names", data=split["names"], dtype=text)
        h.create_dataset("image_files", data=files, dtype=text)
    os.replace(partial, a.out)
    report = {"images": len(files), "feature_map": list(shape), "classes": len(split["names"]),
              "seen": len(np.unique(labels[lists["trainval_loc"]])),
              "unseen": len(np.unique(labels[lists["test_unseen_loc"]])),
              **{k: len(v) for k, v in lists.items()}, "bytes": os.path.getsize(a.out),
              "seconds": round(time.time() - start, 1)}
    if count == len(files):
        report["nearest_mean_test_seen"] = nearest_mean(pooled, labels, lists["trainval_loc"], lists["test_seen_loc"])
        report["chance"] = 1 / report["seen"]
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
