#!/usr/bin/env python3
"""What a call from Python costs beside C, and whether threads score at once.

usage: python.py BUILD [--rounds N]

Scores rows of ESZSL (D = 2048, A = 312, 200 classes) by the package and by a C program that is built
now with the same library, one thread of OpenMP, in turn; then 4 Python threads, each with a clone,
against one. Times are wall clock, medians of the rounds.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unseen.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
/* MODEL ROWS CALLS: seconds of a call. */
int main(int argc, char **argv) {
    unseen_model *model;
    size_t n = argc > 3 ? strtoul(argv[2], NULL, 10) : 1, calls = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    unseen_set_threads(1);
    if (unseen_model_open(argv[1], &model)) return fprintf(stderr, "%s\n", unseen_last_error());
    float *x = malloc(n * unseen_model_feature_length(model) * sizeof *x);
    float *out = malloc(n * unseen_model_class_count(model) * sizeof *out);
    for (size_t i = 0; i < n * unseen_model_feature_length(model); i++) x[i] = (float)(i % 17) / 17;
    double start = now();
    for (size_t i = 0; i <= calls; i++) {
        if (i == 1) start = now();
        if (unseen_model_score(model, x, n, UNSEEN_CALIBRATED, out)) return 1;
    }
    printf("%.9f\n", (now() - start) / (double)calls);
    return 0;
}
"""


def timed(function, calls):
    function()
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def at_once(models, rows, calls, count):
    """Seconds for `calls` calls, shared among `count` threads."""
    def work(model):
        for _ in range(calls // count):
            model.score(rows)
    threads = [threading.Thread(target=work, args=(model,)) for model in models[:count]]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    sys.path.insert(0, str(build / "python"))
    import numpy as np
    import unseen
    unseen.set_threads(1)
    rng = np.random.default_rng(1)
    labels = np.arange(2000) % 200
    attributes = rng.random((200, 312))
    features = rng.random((2000, 2048), np.float32)
    data = unseen.Dataset.from_arrays(features, labels, attributes)
    model = unseen.train("eszsl", data, settings={"gamma": 1, "lambda": 1}, select="none")
    clones = [model.clone() for _ in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "eszsl.model")
        model.save(path)
        source = pathlib.Path(folder, "score.c")
        source.write_text(PROGRAM, encoding="utf-8")
        program = os.path.join(folder, "score")
        subprocess.run(["cc", "-O2", source, "-I", HERE.parent / "include", build / "libunseen.so",
                        "-Wl,-rpath," + str(build), "-o", program], check=True)
        for rows, calls in ((1, 2000), (1000, 20)):
            some = np.ascontiguousarray(np.tile((np.arange(rows * 2048) % 17 / 17), 1),
                                        dtype=np.float32).reshape(rows, 2048)
            times = {"Python": [], "C": []}
            for _ in range(arguments.rounds):
                times["Python"].append(timed(lambda: model.score(some), calls))
                times["C"].append(float(subprocess.run(
                    [program, path, str(rows), str(calls)], check=True, capture_output=True,
                    text=True).stdout))
            python, own = (statistics.median(times[k]) * 1e6 for k in ("Python", "C"))
            print(f"{rows:5} rows a call: Python {python:9.1f} us, C {own:9.1f} us, "
                  f"{python - own:+.1f} us, {python / own:.3f} times")
        some = features[:200]
        once, many = [], []
        for _ in range(arguments.rounds):
            once.append(at_once(clones, some, 80, 1))
            many.append(at_once(clones, some, 80, 4))
        one, four = statistics.median(once), statistics.median(many)
        print(f"80 calls of 200 rows: 1 thread {one:.3f} s, 4 threads {four:.3f} s, "
              f"{one / four:.2f} times as fast on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
