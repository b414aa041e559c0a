/* bench.h - what the kinds of `unseen bench` share. Private to src/cli. */
#ifndef UN_CLI_BENCH_H
#define UN_CLI_BENCH_H

#include "tensor/tensor.h"

/* Rates of one square matrix product, GFLOP/s, in f32 and bf16: what the machine gives this minute.
 * 0 where it has no products of the type. */
un_status un_bench_probe(double gflops[2]);

/* `unseen bench backbone`; argv[0] is the program's name for messages. An exit code. */
int un_bench_backbone(int argc, char **argv);

#endif
