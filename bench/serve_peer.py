#!/usr/bin/env python3
"""The same service as people write it in Python: Flask, Pillow, PyTorch. Prints its address.

usage: serve_peer.py [--threads N]

MobileNetV2 with random weights (folded and channels-last, the fastest form of backbone.py), then one matrix product with
60 classes; a lock around the network, since it uses all threads by itself.
"""
import argparse
import io
import logging
import socket
import threading

import backbone_networks
import flask
import numpy
import torch
from PIL import Image
from werkzeug.serving import make_server

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=0)
arguments = parser.parse_args()
if arguments.threads:
    torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
network = backbone_networks.fold(backbone_networks.mobilenet().eval()).to(memory_format=torch.channels_last)
classes = torch.randn(1280, 60)
mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
lock = threading.Lock()
app = flask.Flask("peer")
logging.getLogger("werkzeug").setLevel(logging.ERROR)


@app.post("/v1/models/peer/predict")
def predict():
    picture = Image.open(io.BytesIO(flask.request.get_data())).convert("RGB")
    width, height = picture.size
    scale = 256 / min(width, height)
    picture = picture.resize((round(width * scale), round(height * scale)), Image.BILINEAR)
    left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
    pixels = numpy.asarray(picture.crop((left, top, left + 224, top + 224)), dtype=numpy.float32)
    x = ((torch.from_numpy(pixels.copy()) / 255 - mean) / deviation).permute(2, 0, 1)[None]
    x = x.contiguous(memory_format=torch.channels_last)
    with lock, torch.no_grad():
        scores = network(x).mean((2, 3)) @ classes
    best = scores[0].topk(5)
    return {"predictions": [[{"label": str(int(k)), "score": float(s)} for s, k in zip(*best)]]}


if __name__ == "__main__":
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    server = make_server("127.0.0.1", 0, app, threaded=True, fd=listening.fileno())
    print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.serve_forever()
