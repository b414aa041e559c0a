#!/usr/bin/env python3
"""Single f32 products beside PyTorch's, in one process, in turns, in processor time.

usage: products.py BUILD [--shapes M,K,N ...] [--rounds N] [--threads N]

(M, K) x (K, N), the right operand as it lies, stored (N, K), and packed beforehand; PyTorch's is
torch.mm of the same arrays. Processor time of all threads: what other jobs take does not count, and
threads that wait actively do. Medians and least of the rounds; a ratio is the median of those of the
rounds, PyTorch's time over ours. BUILD has libunseen_whole.a; a C compiler is needed.
"""
import argparse
import ctypes
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = r"""
#include "base/parallel.h"
#include "tensor/gemm.h"
int threads(int n) { return un_set_threads(n); }
int pack(un_packed **out, size_t m, size_t n, size_t k, const float *b) {
    return un_gemm_pack(out, UN_F32, 0, m, n, k, b, 0);
}
int multiply(size_t m, size_t n, size_t k, int trans, const float *a, const float *b, un_packed *packed, float *c) {
    un_gemm_args args = {.m = m, .n = n, .k = k, .trans_b = trans, .a = a, .b = b, .packed = packed, .c = c};
    return un_gemm(&args);
}
"""


def library(build, folder):
    source, made = os.path.join(folder, "products.c"), os.path.join(folder, "products.so")
    with open(source, "w") as f:
        f.write(PROGRAM)
    subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-fPIC", "-shared", f"-I{HERE.parent}/src",
                    f"-I{HERE.parent}/include", "-o", made, source, os.path.join(build, "libunseen_whole.a"), "-ldnnl",
                    "-lgomp", "-ljansson", "-lm", "-ldl", "-lpthread", "-Wl,-Bsymbolic"], check=True)
    return ctypes.CDLL(made)


def clock(work):
    start = time.process_time()
    if work():
        sys.exit("a product failed")
    return 1e3 * (time.process_time() - start)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--shapes", nargs="+", default=["312,300,2048", "300,312,2048", "50,312,1200"])
    p.add_argument("--rounds", type=int, default=200)
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(a.threads)
    import figures
    torch = figures.find_torch()
    if torch:
        torch.set_num_threads(a.threads)
    print(f"{a.threads} threads, {a.rounds} rounds, ms of processor time; {figures.version(torch)}")
    with tempfile.TemporaryDirectory() as folder:
        own = library(a.build, folder)
    own.threads(a.threads)
    z = ctypes.c_size_t
    for shape in a.shapes:
        m, k, n = (int(x) for x in shape.split(","))
        floats = [(ctypes.c_float * size)(*([0.5] * size)) for size in (m * k, k * n, m * n)]
        x, b, c = (ctypes.byref(f) for f in floats)
        packed = ctypes.c_void_p()
        if own.pack(ctypes.byref(packed), z(m), z(n), z(k), b):
            sys.exit("packing failed")
        ways = {"as it lies": lambda: own.multiply(z(m), z(n), z(k), 0, x, b, None, c),
                "stored (N, K)": lambda: own.multiply(z(m), z(n), z(k), 1, x, b, None, c),
                "packed": lambda: own.multiply(z(m), z(n), z(k), 0, x, None, packed, c)}
        if torch:
            left, right, wide = torch.full((m, k), 0.5), torch.full((k, n), 0.5), torch.full((n, k), 0.5)
            out = torch.empty(m, n)
            ways["PyTorch"] = lambda: torch.mm(left, right, out=out) is None
            ways["PyTorch, (N, K)"] = lambda: torch.mm(left, wide.t(), out=out) is None
        times = {name: [] for name in ways}
        for r in range(a.rounds + 5):
            for name, work in ways.items():
                t = clock(work)
                if r >= 5:
                    times[name].append(t)
        print(f"{m} x {k} by {k} x {n}, {2e-6 * m * k * n:.0f} MFLOP")
        for name, some in times.items():
            line = f"  {name:16s} median {statistics.median(some):7.3f}, least {min(some):7.3f}"
            peer = times.get("PyTorch, (N, K)" if name == "stored (N, K)" else "PyTorch")
            if peer and not name.startswith("PyTorch"):
                line += f", {statistics.median(t / u for u, t in zip(some, peer)):5.2f} x PyTorch"
            print(line, flush=True)


if __name__ == "__main__":
    main()
