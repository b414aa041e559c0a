#!/bin/sh
# Results of `make bench`: the shares of both ceilings, two files side by side, and a file of before,
# in which nobody had counted bytes.
. "$(dirname "$0")/common.sh"
bench=$(cd "$(dirname "$0")/../../bench" && pwd)
python=
for p in /usr/bin/python3 python3; do
    [ -n "$python" ] || ! "$p" -c "" 2>/dev/null || python=$p
done
if [ -z "$python" ]; then
    echo "skipped: no python3"
    exit 77
fi
cd "$scratch" || exit 1

# document NAME BYTES: of 20 GFLOP/s in f32, 10 GB/s of memory
document() {
    cat >"$1" <<EOF
{"format": "unseen bench 1", "notes": [],
 "machine": {"cpu": "c", "threads": 2, "unseen": "u", "backend": "b", "bf16_way": "w", "pytorch": null},
 "ceilings": [{"f32": {"unit": "GFLOP/s", "one_thread": 10, "all_threads": 20},
               "read": {"unit": "GB/s", "one_thread": 5, "all_threads": 10}}],
 "entries": [
  {"name": "step", "unit": "ms", "precision": "f32", "ours": [100, 100], "peers": {}, "flop": 1e9, "bytes": $2},
  {"name": "scoring", "unit": "images/s", "precision": "f32", "ours": [50, 50], "peers": {}, "flop": $3, "bytes": $2},
  {"name": "product", "unit": "GFLOP/s", "precision": "f32", "ours": [5, 5], "peers": {}, "flop": $3, "bytes": $2}]}
EOF
}
document before.json null null
document after.json 2e8 3e8
show() {
    PYTHONPATH=$bench "$python" -B -c "import figures, sys; print(figures.table(figures.read(sys.argv[1])))" "$1"
}
expect 0 "step, f32" show before.json
case $output in
*" 50 %"*) ;; # 1 GFLOP in 100 ms of 20 GFLOP/s
*) fail "a step's share: $output" ;;
esac
# 15 of 20 GFLOP/s, 10 of 10 GB/s; 5 of 20 GFLOP/s, and 3.3 GB/s
expect 0 "of memory" show after.json
text=$(echo "$output" | tr -s ' ')
for line in "ms 50 % 20 %" "images/s 75 % 100 %" "GFLOP/s 25 % 33 %"; do
    case $text in
    *"$line"*) ;;
    *) fail "no \"$line\" in $output" ;;
    esac
done
sed 's/"notes": \[\]/"notes": ["--quick: whether all runs"]/' before.json >quick.json
expect 0 "after: a trial" "$python" -B "$bench/compare" before.json quick.json
case $output in *"before: a trial"*) fail "before was no trial: $output" ;; esac
expect 0 "scoring, f32" "$python" -B "$bench/compare" before.json after.json
# PyTorch's bf16 is measured where the processor has instructions for it, or the environment says so.
torch_bf16() { # FLAGS WANTED
    UNSEEN_BENCH_TORCH_BF16=$2 PYTHONPATH=$bench "$python" -B - "$1" <<'EOF'
import figures, sys
figures.processor = lambda: ("c", set(sys.argv[1].split()))
peers = list(figures.measured({"naive f32": 1, "best bf16": 2}))
print(f"{peers}, native {figures.native_bf16()}, {figures.without_bf16()}")
EOF
}
expect 0 "'best bf16'], native True, None" torch_bf16 "avx2 avx512f avx512_bf16" ""
expect 0 "'best bf16'], native False, None" torch_bf16 "avx2 avx512f" ""
expect 0 "'best bf16'], native False, None" torch_bf16 "" "" # no x86: no flags
expect 0 "['naive f32'], native False, left out: no instructions" torch_bf16 "avx2 fma" ""
expect 0 "'best bf16'], native False, None" torch_bf16 "avx2 fma" 1
expect 0 "['naive f32'], native True, left out by UNSEEN_BENCH_TORCH_BF16=0" torch_bf16 "avx512_bf16" 0
expect 1 "1 measures PyTorch's bf16, 0 leaves it out" torch_bf16 "avx2" no
sed 's/"pytorch": null/"pytorch": "1", "openblas_coretype": "c", "blas": "b", "pytorch_bf16": "left out: why"/' \
    before.json >without.json
expect 0 "PyTorch's bf16 left out: why" show without.json
echo "{}" >other.json
expect 1 "no results of" "$python" -B "$bench/compare" before.json other.json
finish
