#!/bin/sh
# Every way to multiply bf16 that this processor has, and the emulated tiles, train, score and
# extract: the same bytes again, which way it was stands in the model, and losses as near to each
# other as rounding leaves them.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" pooled 20 48 || fail "make_dataset"
"$tools/make_region_set" maps 120 9 40 12 12 || fail "make_region_set"
"$tools/make_region_set" pictures 120 256 3 12 12 || fail "make_region_set"
duet="--set hidden=16 --set heads=2 --set inner=24 --set text_layers=1 --set batch=8"
duet="$duet --set max_length=64"
small="$duet --set image_hidden=16 --set image_heads=2 --set image_inner=24 --set image_layers=1"

# ways: those that --version knows under the name it is asked for.
ways() {
    for way in amx avx512bf16 avx512 avx2 portable tiles; do
        case $(UNSEEN_ISA=$way "$unseen" --version) in *"own $way blocks"*) echo $way ;; esac
    done
}
all=$(ways)
fastest=$("$unseen" --version | sed -n 's/.*bf16 by own \([a-z0-9]*\) blocks.*/\1/p')
for known in "$fastest" "portable tiles"; do # $fastest may stand just before portable
    case " $(echo $all) " in
    *" $known "*) ;;
    *) fail "of $known there are only: $all" ;;
    esac
done

# losses FILE: the loss of every step that the log has.
losses() { awk -F, 'NR > 1 { print $4 }' "$1"; }

# near A B: step by step. Both ways multiply the same operands of 8 bits and differ in the order of
# sums in f32, which moves what is rounded next over the edge of a rounding here and there: the
# first loss by less than one rounding, 2^-8 of it. So do gradients, which losses that follow come
# of: as much of how far the loss has come. f32 differs by roundings of all operands, of either sign
# and averaged over a batch: by less than one of them, too.
near() {
    losses "$1" >one.txt
    losses "$2" >two.txt
    [ -s one.txt ] || fail "$1 has no losses"
    paste one.txt two.txt | awk 'NF != 2 || !($1 > 0 && $2 > 0) { exit 1 }
        NR == 1 { first = $1 }
        { d = $1 - $2; if (d < 0) d = -d; came = first - $1; if (came < 0) came = -came
          if (d > (first + came) / 256) exit 1 }' ||
        fail "losses of $1 and $2 differ by more than rounding: $(paste one.txt two.txt)"
}

# every NAME DATA METHOD OPTION...: in every way, twice in the same one, and in f32.
every() {
    name=$1 data=$2
    shift 2
    "$unseen" train "$@" --data $data --select none --precision f32 --seed 5 --threads 2 -q \
        --log $name-f32.csv -o $name-f32.model >/dev/null || fail "$name in f32"
    for way in $all; do
        for run in 1 2; do
            UNSEEN_ISA=$way "$unseen" train "$@" --data $data --select none --precision bf16 --seed 5 \
                --threads 2 -q --log $name-$way-$run.csv -o $name-$way-$run.model >said 2>&1 ||
                fail "$name by $way: $(cat said)"
        done
        cmp $name-$way-1.model $name-$way-2.model || fail "$name by $way: two equal runs differ"
        expect 0 "" "$unseen" inspect $name-$way-1.model
        case $name:$output in
        cnzsl:*bf16_way*) fail "$name has no products of bf16" ;;
        cnzsl:* | *"\"bf16_way\": \"$way\""*) ;;
        *) fail "$name: nothing tells that $way trained it: $output" ;;
        esac
        near $name-$way-1.csv $name-$fastest-1.csv
        UNSEEN_ISA=$way expect 0 "T1" "$unseen" eval $name-$way-1.model --data $data
    done
    near $name-f32.csv $name-$fastest-1.csv
    case $name in
    cnzsl) ;;
    *) [ "$(losses $name-f32.csv)" != "$(losses $name-$fastest-1.csv)" ] ||
        fail "$name is not multiplied in bf16" ;;
    esac
    # What one way trained the slowest one scores.
    UNSEEN_ISA=tiles expect 0 "T1" "$unseen" eval $name-$fastest-1.model --data $data
}
every dem pooled dem --epochs 3
every cnzsl pooled cnzsl --epochs 3
every msdn maps msdn --epochs 3
every dedn maps dedn --epochs 2
every duet maps duet $duet --epochs 2
every pixels pictures duet $small --epochs 1
every frozen pictures duet $small --epochs 1 --freeze-backbone

# Features of pictures: the same bytes again.
"$tools/make_pictures" own || fail "make_pictures"
expect 0 "7 seen, 2 unseen" "$unseen" import folder own --attributes own.csv \
    --unseen "blue blue,red green" -o photos -q
"$tools/fuzz_replay" --make seeds >/dev/null || fail "no weights of small networks"
for network in resnet vit swin; do cp seeds/backbone/$network $network.safetensors; done
for way in $all; do
    for network in resnet vit swin; do
        for run in 1 2; do
            UNSEEN_ISA=$way expect 0 "" "$unseen" extract --backbone "$network.safetensors" \
                --data photos --image-size 32 --precision bf16 --regions --threads 2 -q \
                --name $network-$way-$run
        done
        cmp photos/features/$network-$way-1.safetensors photos/features/$network-$way-2.safetensors ||
            fail "$network by $way: two equal runs differ"
    done
done

# What one way began another does not go on with, but begins anew. Larger pictures take longer: until one
# extraction is stopped.
for size in 64 128 256 512; do
    extract="extract --backbone vit.safetensors --data photos --image-size $size --precision bf16
        --pooled --batch 1 --threads 1 --name begun-$size"
    UNSEEN_ISA=tiles "$unseen" $extract >said 2>&1 &
    job=$!
    while ! there photos/features/begun-$size*partial* && kill -0 $job 2>/dev/null; do sleep 0.01; done
    sleep 0.05
    kill -TERM $job 2>/dev/null
    wait $job
    [ -e photos/features/begun-$size.safetensors ] || break
done
grep -q "stopped after [1-9]" said || fail "nothing was begun: $(cat said)"
mkdir kept
cp photos/features/begun-$size* kept/
expect 0 "" "$unseen" $extract
case $output in *"earlier run"*) fail "$fastest goes on with what tiles began: $output" ;; esac
rm photos/features/begun-$size*
cp kept/* photos/features/
UNSEEN_ISA=tiles expect 0 "from an earlier run" "$unseen" $extract

# A name that is none is told, and the fastest one computes.
UNSEEN_ISA=abacus expect 0 "UNSEEN_ISA=abacus is not a way of this processor" \
    "$unseen" train dem --data pooled --epochs 1 --select none --precision bf16 -o none.model
expect 0 "\"bf16_way\": \"$fastest\"" "$unseen" inspect none.model
finish
