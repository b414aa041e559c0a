#!/bin/bash
# Too little address space (ulimit -v, as batch systems set it): a sentence and status 1, where GLib
# would end the process, and the answer where there is enough.
. "$(dirname "$0")/common.sh"
if [ ! -e "$tools/unseen_faults.so" ]; then
    echo "skipped: sanitizers need more address space than any limit here"
    exit 77
fi
cd "$scratch" || exit 1
"$unseen" import tinybirds -o t --size 64 --images-per-class 5 -q >/dev/null || fail "import"
"$unseen" extract --data t --backbone builtin:descriptor --pooled -q >/dev/null || fail "extract"
"$unseen" train eszsl --data t -o m.model -q --threads 1 --select none --set gamma=1 --set lambda=1 \
    >/dev/null || fail "train"
picture=$(ls t/images/*/001.png | head -1)

limited() { (ulimit -v $limit && exec "$unseen" "$@" -q --threads 2) >out 2>err; }
# judge COMMAND STATUS: counts what was refused for want of memory by a sentence of ours.
judge() {
    case $2 in
    0) answered=$((answered + 1)) ;;
    1)
        if grep -q "^unseen: .*\(out of memory\|cannot start a thread\)" err; then
            refused=$((refused + 1))
        else
            grep -q "libgomp\|emory" err || fail "$1 in $limit KiB has no sentence: $(cat err)"
        fi
        [ "$(grep -c "^unseen: " err)" -le 1 ] || fail "$1 in $limit KiB has several: $(cat err)"
        ;;
    127) grep -q "shared libraries" err || fail "$1 in $limit KiB: $(cat err)" ;;
    *) fail "$1 in $limit KiB ended with $2: $(cat err)" ;;
    esac
}
answered=0 refused=0
for limit in 150000 200000 240000 300000 400000 2000000; do
    rm -rf t/features
    limited extract --data t --backbone builtin:descriptor --pooled
    judge extract $?
    limited predict m.model "$picture" --csv -
    judge predict $?
    limited explain m.model "$picture" -o why
    judge explain $?
done
[ $answered -ge 3 ] || fail "only $answered were answered"
[ $refused -ge 3 ] || fail "only $refused were refused: nothing was tested"
finish
