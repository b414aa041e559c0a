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
    timeout 120 "$MPIEXEC" -n "$count" "$ranked" "$@"
}
