#!/bin/sh
# Ranks hear from each other what they should: unit/test_cluster.c by 1, 2, 3 and 4 of them.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
for n in 1 2 3 4; do
    UNSEEN_TEST_RANKS=$n timeout 120 "$MPIEXEC" -n $n "$tools/test_cluster_mpi" >"$scratch/said" 2>&1 ||
        fail "$n ranks: $(cat "$scratch/said")"
done

# One that fails while gradients are on their way does not leave the others waiting.
for n in 2 4; do
    timeout -k 5 60 "$MPIEXEC" -n $n "$tools/test_cluster_mpi" fail >"$scratch/said" 2>&1
    code=$?
    [ $code -ne 0 ] && [ $code -ne 124 ] && [ $code -ne 137 ] || fail "$n ranks, one fails: $code: $(cat "$scratch/said")"
    grep -q ends "$scratch/said" || fail "$n ranks, one fails: $(cat "$scratch/said")"
done
finish
