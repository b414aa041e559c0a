/* bench.h - what the kinds of `unseen bench` share. Private to src/cli. */
#ifndef UN_CLI_BENCH_H
#define UN_CLI_BENCH_H

#include "tensor/tensor.h"

/* Rate of one square matrix product, GFLOP/s: what the machine gives this minute. */
un_status un_bench_probe(un_dtype type, double *gflops);

/* `unseen bench backbone`; argv[0] is the program's name for messages. An exit code. */
int un_bench_backbone(int argc, char **argv);

#endif
