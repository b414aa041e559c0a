#!/bin/bash
# SIGKILL at random moments: outputs are whole or absent, the next run ends with the same bytes and
# leaves nothing behind. KILLS=N: how many, 5 by default.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/writers.sh"
cd "$scratch" || exit 1
prepare_writers || { fail "prepare"; finish; }
kills=${KILLS:-5}
RANDOM=${SEED:-1}
done=0 tries=0
declare -A took
# measure NAME: milliseconds of a whole run
measure() {
    local before
    whole $1
    fresh $1
    before=$(date +%s%N)
    (write $1) >/dev/null 2>&1
    took[$1]=$((($(date +%s%N) - before) / 1000000 + 1))
}
exec_or_run() { exec "$unseen" "$@" -q --threads 1; }
while [ $done -lt $kills ] && [ $tries -lt $((20 * kills)) ]; do
    for name in $writers; do
        [ $done -lt $kills ] || break
        tries=$((tries + 1))
        [ "${took[$name]:-}" ] || measure $name
        fresh $name
        (write $name) >/dev/null 2>&1 &
        pid=$!
        moment=$((RANDOM % took[$name]))
        sleep $((moment / 1000)).$(printf %03d $((moment % 1000)))
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        [ $? = 137 ] || continue # it was done before
        done=$((done + 1))
        bad=$(half $name)
        [ -z "$bad" ] || fail "$name killed after $moment ms: $bad"
        again=$( (write $name) 2>&1 >/dev/null) || {
            case $again in # a training that left a checkpoint says how to go on
            *--resume*)
                resume=--resume
                again=$( (write $name) 2>&1 >/dev/null) || fail "$name --resume: $again"
                resume=
                ;;
            *) fail "$name after a kill at $moment ms: $again" ;;
            esac
        }
        bad=$(differences $name)
        [ -z "$bad" ] || fail "$name after a kill at $moment ms and a second run: $bad"
        [ -z "$(leftovers)" ] || fail "$name left $(leftovers)"
    done
done
[ $done = $kills ] || fail "only $done of $kills kills came in time"
echo "$done kills in $tries runs"
finish
