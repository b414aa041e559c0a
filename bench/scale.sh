#!/usr/bin/env bash
# What many classes and many images cost: for generated sets of several sizes the wall time, the
# processor time and the most anonymous memory of import, training with selection on validation
# folds, and evaluation, as one table.
# usage: scale.sh BUILD_DIRECTORY SCRATCH_DIRECTORY [CLASSESxIMAGES ...]
# METHODS: those to train (default "eszsl dem"); TRAIN_dem, TRAIN_eszsl, ...: further words for one's
# `unseen train`; ATTRIBUTES, WIDTH: of classes and of images (300, 512). A tenth of the classes is
# unseen. SCRATCH needs 5 KB an image; a set is removed when it is done.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd)
mkdir -p "$2"
scratch=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- 2000x20000 2000x60000 2000x200000 6000x60000 6000x200000 20000x200000
for program in unseen tests/make_scale_set; do
    [ -x "$build/$program" ] || { echo "there is no $build/$program: make build-all" >&2; exit 2; }
done
for size in "$@"; do # all of them before the first is measured
    [[ $size =~ ^[1-9][0-9]*x[1-9][0-9]*$ ]] || {
        echo "\"$size\" is no CLASSESxIMAGES, such as 2000x20000" >&2
        exit 2
    }
done
for method in ${METHODS:-eszsl dem}; do
    "$build/unseen" train "$method" --settings >/dev/null || exit 2
done
attributes=${ATTRIBUTES:-300} width=${WIDTH:-512}
set_dir=$scratch/scale generated=$scratch/scale.safetensors
pid=
clean() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$set_dir" "$generated" "$scratch"/scale-*
}
trap clean EXIT
trap 'exit 1' INT TERM
exec {never}<> <(:)

# Hundredths of a second that ended children have used; `times` would not know them in a subshell.
children() {
    times >"$scratch/scale-times"
    awk 'END {
        gsub(/[ms]/, " ")
        split($0, t, " ")
        print int(100 * (60 * (t[1] + t[3]) + t[2] + t[4]) + 0.5)
    }' "$scratch/scale-times"
}

# step WORDS COMMAND...: runs it and prints a row of the table.
step() {
    local words=$1 peak=0 begun before key value
    shift
    begun=$(date +%s%N)
    children >"$scratch/scale-before"
    "$@" >"$scratch/scale-out" 2>"$scratch/scale-err" &
    pid=$!
    while [ -e /proc/$pid/status ] && kill -0 $pid 2>/dev/null; do
        while read -r key value _; do
            [ "$key" != RssAnon: ] || [ "$value" -le "$peak" ] || peak=$value
        done 2>/dev/null </proc/$pid/status || true
        read -rt 0.1 -u $never || true
    done
    wait $pid || { cat "$scratch/scale-err" >&2; exit 1; }
    pid=
    before=$(<"$scratch/scale-before")
    children >"$scratch/scale-after"
    awk -v size="$classes | $images" -v words="$words" -v ns=$(($(date +%s%N) - begun)) \
        -v cpu=$(($(<"$scratch/scale-after") - before)) -v peak="$peak" '
        $1 == "T1" { t1 = $2 }
        $1 == "U" { h = $6 } # the last: at the chosen gamma
        END { printf "| %s | %s | %.1f | %.1f | %d | %s | %s |\n", size, words, ns / 1e9, cpu / 100,
                     peak / 1024, t1, h }' "$scratch/scale-out"
}

echo "| classes | images | step | seconds | processor seconds | MiB | T1 | H |"
echo "|---|---|---|---|---|---|---|---|"
for size in "$@"; do
    classes=${size%x*} images=${size#*x}
    rm -rf "$set_dir"
    "$build/tests/make_scale_set" "$generated" "$classes" "$images" "$attributes" "$width"
    step import "$build/unseen" import arrays --features "$generated:features" \
        --labels "$generated:labels" --semantics "att=$generated:att" \
        --unseen-count $((classes / 10)) -o "$set_dir" -q
    rm -f "$generated"
    for method in ${METHODS:-eszsl dem}; do
        more=TRAIN_$method
        # shellcheck disable=SC2086  # words
        step "train $method" "$build/unseen" train "$method" --data "$set_dir" -q \
            -o "$scratch/scale-$method.model" ${!more:-}
        step "eval $method" "$build/unseen" eval "$scratch/scale-$method.model" \
            --data "$set_dir" -q
    done
done
