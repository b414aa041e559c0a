#!/bin/sh
# unseen bench ceilings: rates of bare loops, by every way to multiply bf16 that is named.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1

expect 0 "--memory" "$unseen" bench ceilings --help
expect 0 "memory read" "$unseen" bench ceilings --memory 2
expect 0 "\"ceilings\"" "$unseen" bench ceilings --memory 2 --threads 2 --json - --quiet
for key in version backend features kernels bf16_way threads f32 bf16 read store stream one_thread \
    all_threads; do
    case $output in
    *"\"$key\""*) ;;
    *) fail "no $key in $output" ;;
    esac
done
for way in avx2 portable; do
    UNSEEN_ISA=$way expect 0 "" "$unseen" bench ceilings --memory 2 --json "$way.json" --quiet
    grep -q "\"bf16_way\"" "$way.json" || fail "no file from $way"
done
if grep -Eq '"(one|all)_threads?": *-?0(\.0)?,?$' portable.json; then fail "a rate of zero"; fi
expect 2 "too many" "$unseen" bench ceilings dem
finish
