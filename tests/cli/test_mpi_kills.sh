#!/bin/bash
# SIGKILL of a random rank at a random moment, in extract, in runs that are dealt out, in steps that
# ranks share, and within a checkpoint's own calls: all ranks end, and the next job ends with the
# bytes of one that was never killed. KILLS=N: how many of each, 1 by default (`make mpi-kills`: 20).
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
cd "$scratch" || exit 1
kills=${KILLS:-1}
RANDOM=${SEED:-1}
driver=$tools/unseen_faults.so
"$tools/make_dataset" toy 100 256 && "$tools/make_region_set" maps 200 9 16 12 12 || fail "data"
"$unseen" import tinybirds -o birds --size 64 --images-per-class 5 -q >/dev/null || fail "tinybirds"

# job NAME: the words of a command that writes into ./w
job() {
    case $1 in
    extract) echo extract --data w/birds --backbone builtin:descriptor --image-size 160 --batch 2 -q ;;
    runs) echo train dem --data toy --epochs 60 --set hidden=256 --quiet --seeds 1,2 --log w/m.csv \
        -o w/m.model --resume --checkpoint-every 0.05 ;;
    steps) echo train msdn --data maps --threads 1 -q --epochs 40 --set batch=10 --set \
        epoch_images=10 --folds 1 --ranks-per-run 2 -o w/m.model --resume --checkpoint-every 0.02 ;;
    esac
}
fresh() {
    rm -rf w && mkdir w
    [ "$1" != extract ] || cp -r birds w/birds
}
# result: names and sums of all files in ./w, of logs without the times
result() {
    (cd w && find . -type f | sort | while read -r file; do
        case $file in
        *.csv) echo "$file" "$(cut -d, -f1-13 "$file" | sha256sum)" ;;
        *) echo "$file" "$(sha256sum <"$file")" ;;
        esac
    done)
}
# again NAME MOMENT: after a kill, the same job
again() {
    # shellcheck disable=SC2046
    ranks 2 $(job "$1") >said 2>&1 || { fail "$1 after a kill $2: $(cat said)"; return; }
    result >now
    cmp -s whole."$1" now || fail "$1 after a kill $2: $(diff whole."$1" now)"
}
declare -A took
# shellcheck disable=SC2046
for name in extract runs steps; do
    fresh $name
    before=$(date +%s%N)
    ranks 2 $(job $name) >said 2>&1 || fail "$name: $(cat said)"
    took[$name]=$((($(date +%s%N) - before) / 1000000 + 1))
    result >whole.$name
done
[ "$failures" = 0 ] || finish

# At random moments.
for name in extract runs steps; do
    done=0 tries=0
    while [ $done -lt "$kills" ] && [ $tries -lt $((10 * kills)) ]; do
        tries=$((tries + 1))
        fresh $name
        # shellcheck disable=SC2046
        # Open MPI 4.1's mpiexec was seen to wait for itself when all ranks were dead (PMIx_server_finalize).
        timeout -k 5 60 "$MPIEXEC" -n 2 "$ranked" $(job $name) >said 2>&1 &
        pid=$!
        moment=$((RANDOM % took[$name]))
        # From when the ranks are there: before, there is nobody to kill.
        while [ -z "$(pgrep -f "^$ranked $(job $name)")" ] && ! is_over $pid; do sleep 0.01; done
        sleep $((moment / 1000)).$(printf %03d $((moment % 1000)))
        victim=$(pgrep -f "^$ranked $(job $name)" | sed -n $((1 + RANDOM % 2))p)
        [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null
        if wait $pid; then # it was done before: sooner, for a machine is not always as busy
            took[$name]=$((moment > 100 ? moment : 100))
            continue
        fi
        took[$name]=$((took[$name] + took[$name] / 10))
        [ -n "$victim" ] || { fail "$name ended by itself: $(cat said)"; continue; }
        done=$((done + 1))
        again $name "at $moment ms"
    done
    echo "$name: $done kills in $tries jobs"
    [ $done = "$kills" ] || fail "$name: only $done of $kills kills came in time"
done

# Within the calls that make a checkpoint, of which there is one each but for pwrite, and remove it.
if [ ! -e "$driver" ]; then
    left_out "kills within a checkpoint: a sanitizer has calls of its own"
    finish
fi
calls=(open rename fsync pwrite pwrite ftruncate close unlink)
for name in runs steps; do
    done=0 tries=0
    while [ $done -lt "$kills" ] && [ $tries -lt $((20 * kills)) ]; do
        tries=$((tries + 1))
        fresh $name
        rm -f told
        call=${calls[RANDOM % ${#calls[@]}]}
        most=3
        [ $call != pwrite ] || most=24
        fault=$call:$((1 + RANDOM % most)):KILL
        # A rank: the one whose calls these are; rank 0 writes what a team has.
        well="exec '$ranked' $(job $name)"
        ill="exec env LD_PRELOAD='$driver' UNSEEN_FAULT=$fault UNSEEN_FAULT_PATH=.checkpoint \
            UNSEEN_FAULT_TOLD='$scratch/told' '$ranked' $(job $name)"
        if [ $name = steps ] || [ $((RANDOM % 2)) = 0 ]; then
            two "$ill" "$well" >said 2>&1
        else
            two "$well" "$ill" >said 2>&1
        fi
        status=$?
        if [ ! -s told ]; then # so many calls were not made
            [ $status = 0 ] || fail "$name ended by itself: $(cat said)"
            continue
        fi
        [ $status != 0 ] || fail "$name ended well, although a rank was killed within $fault"
        grep -Eqi "signal:? 9" said || fail "$name ended otherwise than by $fault: $(cat said)"
        done=$((done + 1))
        again $name "within $fault"
    done
    echo "$name, within a checkpoint: $done kills in $tries jobs"
    [ $done = "$kills" ] || fail "$name: only $done of $kills kills were within a checkpoint"
done
finish
