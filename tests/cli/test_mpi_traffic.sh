#!/bin/sh
# Ranks hear from each other what they should: unit/test_cluster.c by 1, 2, 3 and 4 of them.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
for n in 1 2 3 4; do
    timeout 120 "$MPIEXEC" -n $n "$tools/test_cluster_mpi" >"$scratch/said" 2>&1 ||
        fail "$n ranks: $(cat "$scratch/said")"
done
finish
