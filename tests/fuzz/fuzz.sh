#!/bin/sh
# Fuzzes all targets for SECONDS together, two at a time: `make fuzz SECONDS=600`.
#
#     fuzz.sh PROGRAM FOLDER SECONDS [TARGET...]
#
# FOLDER keeps what was found: corpus/TARGET/, inputs that reach new places, for the next run, and
# crashes/TARGET-…, inputs that crash, hang, leak, or ask for much memory. Ends with 1 if there is
# one of those, and says how to replay it.
set -eu
program=$1
folder=$2
seconds=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
data=$here/../data
targets=${*:-$(sed -n 's/^ *X(\([a-z0-9_]*\)).*/\1/p' "$here/targets.c")}
[ -n "$targets" ] || { echo "fuzz.sh: no targets" >&2; exit 2; }
mkdir -p "$folder/crashes" "$folder/logs"
folder=$(cd "$folder" && pwd)
# In memory, where there is such a place: every input is a file.
base=${TMPDIR:-/tmp}
[ -w /dev/shm ] && base=/dev/shm
scratch=$(mktemp -d "$base/unseen-fuzzing-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

export TMPDIR="$scratch" OMP_WAIT_POLICY=passive
export LSAN_OPTIONS="suppressions=$here/../lsan.supp:print_suppressions=0"
# A process that reads hostile HDF5 and MAT files may crash; only its parent must not.
export ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1"

count=$(echo $targets | wc -w)
each=$((seconds * 2 / count))
[ "$each" -ge 1 ] || each=1
echo "$count targets, $each seconds each, two at a time"

# one TARGET: fuzzes it; its exit status is in $scratch/TARGET.status.
one() {
    mkdir -p "$folder/corpus/$1"
    more=
    [ "$1" = model ] && for model in "$data"/v*/*.model; do
        mkdir -p "$scratch/more"
        cp "$model" "$scratch/more/$(basename "$(dirname "$model")")-$(basename "$model")"
        more=$scratch/more
    done
    status=0
    "$program" "$1" -max_total_time="$each" -timeout=10 -malloc_limit_mb=1024 -rss_limit_mb=3072 \
        -max_len=131072 -len_control=10 -use_value_profile=1 -print_final_stats=1 -reload=0 \
        -artifact_prefix="$folder/crashes/$1-" \
        "$folder/corpus/$1" "$here/corpus/$1" $more >"$folder/logs/$1" 2>&1 || status=$?
    echo "$status" >"$scratch/$1.status"
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/logs/$1")
    if [ "$status" = 0 ]; then
        echo "  $1: ${runs:-no} inputs, nothing found"
    else
        echo "  $1: FOUND (status $status, $folder/logs/$1)"
        grep -m 3 -E 'ERROR: |SUMMARY: |broken promise|runtime error' "$folder/logs/$1" || true
    fi
}

# Two lanes; each takes every other target.
lane() {
    i=0
    for target in $targets; do
        [ $((i % 2)) = "$1" ] && one "$target"
        i=$((i + 1))
    done
    return 0
}
lane 0 &
first=$!
lane 1 &
second=$!
wait $first && wait $second

found=0
total=0
for target in $targets; do
    status=$(cat "$scratch/$target.status")
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/logs/$target")
    total=$((total + ${runs:-0}))
    # A target that ran nothing at all has tested nothing.
    [ "$status" = 0 ] && [ "${runs:-0}" -gt 0 ] || found=$((found + 1))
done
echo "$total inputs in all"
[ "$found" = 0 ] && exit 0
echo "$found targets found something; replay an input with"
for input in "$folder"/crashes/*; do
    [ -f "$input" ] || continue
    name=$(basename "$input")
    for target in $targets; do
        case $name in "$target"-crash-* | "$target"-oom-* | "$target"-timeout-* | "$target"-leak-*)
            echo "  $program $target $input" ;;
        esac
    done
done
exit 1
