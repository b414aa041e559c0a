#!/bin/bash
# Calls of the program that fail: it ends with 1 and one sentence, or goes on and succeeds; outputs
# are whole or absent, and the next run is as if nothing had happened. FAULTS=N: how many, 24 by
# default, spread over commands, calls and moments.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/writers.sh"
driver=$tools/unseen_faults.so
if [ ! -e "$driver" ]; then
    echo "skipped: under a sanitizer malloc cannot be replaced"
    exit 77
fi
cd "$scratch" || exit 1
prepare_writers || { fail "prepare"; finish; }
faults=${FAULTS:-24}
RANDOM=${SEED:-1}
kinds="open read write pwrite fsync rename malloc mmap close ftruncate"
declare -A calls
# env: timeout itself must not be driven, nor count.
exec_or_run() {
    timeout 600 env LD_PRELOAD="$driver" UNSEEN_FAULT_COUNT="$count" UNSEEN_FAULT="$fault" "$unseen" "$@" \
        -q --threads 1
}
export OMP_WAIT_POLICY=passive # the program would start itself anew
# measure NAME: how many calls of each kind a whole run makes
measure() {
    fault= count=
    whole $1
    fresh $1
    count=$PWD/count
    write $1 >/dev/null 2>&1 || fail "$1 under the driver"
    [ -s count ] || { fail "the driver is not at work"; finish; }
    while read -r kind n; do calls[$1.$kind]=$n; done <count
    count=
}
fault= count=
injected=0 failed=0 turn=0
while [ $injected -lt $faults ] && [ $turn -lt $((10 * faults)) ]; do
    for name in $writers; do
        for kind in $kinds; do
            turn=$((turn + 1))
            [ $injected -lt $faults ] || break 2
            # A bounded run takes a part of the pairs, another one with another SEED.
            [ $((RANDOM % 4)) = 0 ] || continue
            [ "${calls[$name.open]:-}" ] || measure $name
            n=${calls[$name.$kind]:-0}
            [ "$n" -gt 0 ] || continue
            case $kind in
            malloc | mmap) what=ENOMEM ;;
            open) what=EIO ;;
            read) set -- EIO EINTR short; eval what=\${$((RANDOM % 3 + 1))} ;;
            write | pwrite) set -- EIO ENOSPC EINTR short; eval what=\${$((RANDOM % 4 + 1))} ;;
            *) set -- EIO ENOSPC; eval what=\${$((RANDOM % 2 + 1))} ;;
            esac
            fault=$kind:$(((RANDOM * 32768 + RANDOM) % n + 1)):$what
            fresh $name
            write $name >out 2>err
            status=$?
            injected=$((injected + 1))
            [ $status = 0 ] || failed=$((failed + 1))
            [ $status -le 1 ] || fail "$name, $fault: ended with $status: $(cat err)"
            if [ $status = 1 ] && [ "$(grep -c '^unseen: ..' err)" = 0 ] && ! [[ $kind = write ]]; then
                fail "$name, $fault: no sentence: $(cat err)"
            fi
            # A picture that cannot be read is a hole, and the result says so.
            if [ $status = 0 ] && [ ! -s err ] && ! grep -q "could not be read" out; then
                bad=$(differences $name)
            else
                bad=$(half $name)
                # What was left out with a warning, or could not be removed, may differ.
                [ $status = 0 ] && bad=
            fi
            [ -z "$bad" ] || fail "$name, $fault, status $status: $bad; $(cat err)"
            if [ $status = 1 ]; then
                fault=
                [ $name = words ] && fresh words
                again=$(write $name 2>&1) || {
                    # Where only the summary failed, the data set is there, and whole.
                    [[ $again = *--resume* ]] ||
                        { [[ $again = *"exists and is not empty"* ]] && [ -z "$(differences $name)" ]; } ||
                        fail "$name after a fault: $again"
                }
                [[ $again = *--resume* ]] || bad=$(differences $name)
                [ -z "$bad" ] || fail "$name after a fault and a second run: $bad"
            fi
        done
    done
done
# Memory that a model's description is built from: what is lost there would look whole.
measure train
n=${calls[train.malloc]}
for k in $(seq 1 $((faults < 100 ? 24 : 200))); do
    fault=malloc:$((n / 3 + (RANDOM * 32768 + RANDOM) % (n / 2) + 1)):ENOMEM
    fresh train
    write train >out 2>err
    status=$?
    injected=$((injected + 1))
    [ $status = 0 ] || failed=$((failed + 1))
    [ $status -le 1 ] || fail "train, $fault: ended with $status: $(cat err)"
    bad=$([ $status = 0 ] && differences train || half train)
    [ -z "$bad" ] || fail "train, $fault, status $status: $bad; $(cat err)"
done
[ $failed -gt 0 ] || fail "no call failed: nothing was tested"
echo "$injected faults, $failed of them ended a command"
finish
