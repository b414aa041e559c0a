#!/bin/sh
# unseen bench backbone: figures for random weights, and sentences about what cannot be measured.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
TMPDIR=$scratch
export TMPDIR

expect 0 "--image-size" "$unseen" bench backbone --help
expect 0 "\"backbone\": \"mobilenet_v2\"" "$unseen" bench backbone --arch mobilenet_v2 --batch 2 \
    --image-size 64 --steps 1 --json - --quiet
for key in step_ms weights_bytes gflops images_per_s rss_anon_mib precision threads probe_gflops; do
    case $output in
    *"\"$key\""*) ;;
    *) fail "no $key in $output" ;;
    esac
done
expect 0 "\"backbone\": \"swin_t_4_7\"" "$unseen" bench backbone --arch swin_t --batch 1 \
    --image-size 50 --steps 1 --json - --quiet
# "layers" of the JSON counts which way layers were computed, never by oneDNN's reference loop
# (unit/test_backbone.c goes through every layer).
ways() {
    isa=$1 arch=$2 precision=$3 size=$4
    text=$(ONEDNN_MAX_CPU_ISA=$isa "$unseen" bench backbone --arch "$arch" --precision "$precision" \
        --batch 1 --image-size "$size" --steps 1 --quiet --json -) || fail "$*: $text"
    layers=$(echo "$text" | sed -n '/"layers"/,/}/p')
    case $layers in
    *ref*) fail "$*: a reference loop: $layers" ;;
    *jit*) ;;
    *) fail "$*: no layers told: $text" ;;
    esac
}
if [ "$(uname -m)" = x86_64 ]; then
    ways ALL mobilenet_v2 f32 64
    ways ALL mobilenet_v2 bf16 64
    # Without bf16 instructions the network is one in f32, and says so.
    ways AVX2 mobilenet_v2 bf16 64
    case $layers in
    *f32*) fail "converts between its layers: $layers" ;;
    esac
    case $text in
    *'"precision": "f32"'*) ;;
    *) fail "bf16 on AVX2 is not said to be f32: $text" ;;
    esac
    output=$(ONEDNN_MAX_CPU_ISA=AVX2 "$unseen" bench backbone --arch mobilenet_v2 --batch 1 \
        --precision bf16 --image-size 64 --steps 1 2>&1)
    case $output in
    *"convolutions in f32"*) ;;
    *) fail "nothing tells that convolutions are in f32: $output" ;;
    esac
fi
expect 2 "no architecture \"resnet102\"" "$unseen" bench backbone --arch resnet102
expect 1 "cannot open" "$unseen" bench backbone --weights no-such-file
expect 2 "whole number" "$unseen" bench backbone --batch 0
expect 2 "too many" "$unseen" bench backbone resnet50
[ -z "$(ls "$scratch")" ] || fail "left behind: $(ls "$scratch")"
finish
