#!/usr/bin/env python3
"""`unseen serve` under load: how fast it answers, and what it does with requests that are wrong.

usage: serve.py speed PROGRAM [--backbone WEIGHTS] [--clients 1,8,64] [--seconds N] [--rounds N] [--json FILE]
       serve.py hostile PROGRAM [--requests N] [--clients N] [--json FILE]

speed: the built-in birds through WEIGHTS (default: the built-in descriptor) and ESZSL. `unseen extract`
on the same pictures and the server with each number of clients take turns, and so does the same
service in Flask and PyTorch where those are installed and WEIGHTS is given. Beside answers a second
there is processor time an answer, of the server and its decoders: shared machines change their speed,
and the client runs on the same processors.

hostile: N requests, a third of them wrong (truncated, wrong lengths, slow senders, huge heads, bombs,
wrong types, deep JSON), while a decoder is killed every second and the models are loaded anew every five;
every answer is checked, memory and descriptors are watched. Then SIGTERM under load: what was sent as
a whole before is answered. Ends with 1 if anything is not so.
"""
import argparse
import asyncio
import atexit
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import serve_hostile
from serve_load import load, request

TICK = os.sysconf("SC_CLK_TCK")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class Server:
    """A process that says where it listens."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"{' '.join(command)} does not serve: {line}")
        self.port = int(found.group(1))

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            own = file.read().split()
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/children") as file:
                    own += file.read().split()
            except OSError:
                pass
        return sorted({int(pid) for pid in own})

    def processor_seconds(self):
        """Of the server, of its children, and of those that have ended."""
        total = 0
        for pid in [self.process.pid, *self.children()]:
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                total += sum(int(fields[i]) for i in ((11, 12, 13, 14) if pid == self.process.pid else (11, 12)))
            except OSError:
                pass
        return total / TICK

    def memory_mib(self):
        """Anonymous memory in use, of the server alone."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            return int(re.search(r"Anonymous: *(\d+)", file.read()).group(1)) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def prepare(a, folder, images):
    """Birds, their features, a model; the arguments that serve it."""
    os.chdir(folder)
    backbone = a.backbone or "builtin:descriptor"
    run(a.program, "import", "tinybirds", f"--images-per-class={images}", "-o", "birds", "-q")
    run(a.program, "extract", "--backbone", backbone, "--data", "birds", "--name=bench", "--pooled", "-q")
    run(a.program, "train", "eszsl", "--data", "birds", "--features=bench", "--folds=1", "-o", "bench.model", "-q")
    weights = ["--backbone", a.backbone] if a.backbone else []
    return [a.program, "serve", "bench.model", *weights, "--port=0", "--quiet"]


def read_pictures():
    found = []
    for root, _, names in sorted(os.walk("birds/images")):
        for name in sorted(names):
            with open(os.path.join(root, name), "rb") as file:
                found.append(file.read())
    return found


def measure_extract(a):
    """Pictures a second and processor seconds a picture."""
    for name in os.listdir("birds/features"):
        if name.startswith("again"):
            os.remove(f"birds/features/{name}")
    before = os.times()
    text = run(a.program, "extract", "--backbone", a.backbone or "builtin:descriptor", "--data", "birds",
               "--name=again", "--pooled")
    after = os.times()
    rate = float(re.search(r"([\d.]+) images/s", text).group(1))
    images = int(re.search(r"images +(\d+)", text).group(1))
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"rate": rate, "cpu_ms": 1000 * spent / images}


def measure_server(server, path, clients, pictures, seconds):
    requests = [request("POST", path, p, "image/png") for p in pictures]
    before = server.processor_seconds()
    times, elapsed = asyncio.run(load(server.port, clients, requests, seconds))
    spent = server.processor_seconds() - before
    times.sort()
    return {"rate": len(times) / elapsed, "p50_ms": 1000 * times[len(times) // 2],
            "p99_ms": 1000 * times[min(len(times) - 1, len(times) * 99 // 100)],
            "cpu_ms": 1000 * spent / len(times)}


def peer_command(a):
    if not a.backbone:
        return None
    here = os.path.dirname(os.path.abspath(__file__))
    probe = subprocess.run(["/usr/bin/python3", "-c", "import flask, torch, PIL"], capture_output=True, check=False)
    return ["/usr/bin/python3", os.path.join(here, "serve_peer.py")] if probe.returncode == 0 else None


def median_of(rows):
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def speed(a):
    clients = [int(n) for n in a.clients.split(",")]
    rows = {}
    serve = prepare(a, a.folder, 12)
    pictures = read_pictures()
    server = Server(*serve)
    peer = peer_command(a)
    peer = Server(*peer) if peer else None
    for _ in range(a.rounds):
        rows.setdefault("extract", []).append(measure_extract(a))
        for n in clients:
            rows.setdefault(f"serve, {n} clients", []).append(
                measure_server(server, "/v1/models/bench/predict", n, pictures, a.seconds))
            if peer:
                rows.setdefault(f"Flask and PyTorch, {n} clients", []).append(
                    measure_server(peer, "/v1/models/peer/predict", n, pictures, a.seconds))
    if server.stop() != 0:
        sys.exit("the server did not end with 0")
    if peer:
        peer.process.kill()
    result = {name: median_of(found) for name, found in rows.items()}
    print(f"{'':32} {'answers/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms each':>12}")
    for name, row in result.items():
        latency = f"{row['p50_ms']:8.1f} {row['p99_ms']:8.1f}" if "p50_ms" in row else " " * 17
        print(f"{name:32} {row['rate']:10.1f} {latency} {row['cpu_ms']:12.2f}")
    last = result[f"serve, {clients[-1]} clients"]
    print(f"{clients[-1]} clients against extract: {last['rate'] / result['extract']['rate']:.2f} of its rate, "
          f"{last['cpu_ms'] / result['extract']['cpu_ms']:.2f} of its processor time a picture")
    return result


def hostile(a):
    serve = prepare(a, a.folder, 5)
    pictures = read_pictures()
    server = Server(*serve, "--data=birds", "--access-log=access.log")
    return serve_hostile.run(server, a, pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("speed", "hostile"))
    parser.add_argument("program")
    parser.add_argument("--backbone")
    parser.add_argument("--clients", default=None)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--json")
    a = parser.parse_args()
    a.clients = a.clients or ("1,8,64" if a.mode == "speed" else "32")
    a.program = os.path.abspath(a.program)
    a.backbone = os.path.abspath(a.backbone) if a.backbone else None
    out = os.path.abspath(a.json) if a.json else None
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="unseen-bench-") as a.folder:
        result = speed(a) if a.mode == "speed" else hostile(a)
        os.chdir("/")
    result["seconds"] = time.monotonic() - begun
    if out:
        with open(out, "w") as file:
            json.dump(result, file, indent=2)
    sys.exit(1 if result.get("failures") else 0)


if __name__ == "__main__":
    main()
