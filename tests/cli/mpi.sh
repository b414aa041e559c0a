# Sourced by tests of several ranks, after common.sh: skips where there is no MPI.
if [ ! -x "${UNSEEN_MPI:-}" ] || ! command -v "${MPIEXEC:-}" >/dev/null; then
    echo "skipped: built without MPI (Debian: openmpi-bin, libopenmpi-dev), so several ranks are not tested"
    exit 77
fi
# Open MPI 4 and 5: as root, and more ranks than processors; MPICH asks for nothing.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMPI_MCA_btl_vader_single_copy_mechanism=none # what containers do not permit
# MPI libraries keep memory to the end.
export ASAN_OPTIONS=detect_leaks=0
ranked=$UNSEEN_MPI
case $ranked in *' '*) ranked=$(dirname "$unseen")/$(basename "$ranked") ;; esac

# ranks N COMMAND...: `unseen-mpi COMMAND...` by N ranks, at most two minutes.
ranks() {
    count=$1
    shift
    timeout -k 5 120 "$MPIEXEC" -n "$count" "$ranked" "$@"
}

# two FIRST SECOND: two ranks, of which 0 does one shell command and 1 the other. (mpiexec has a form
# for that, with a colon; Open MPI 5.0.7's ends with a segmentation fault.)
two() {
    timeout -k 5 120 "$MPIEXEC" -n 2 sh -c \
        'case ${OMPI_COMM_WORLD_RANK:-$PMI_RANK} in 0) eval "$0" ;; *) eval "$1" ;; esac' "$1" "$2"
}
