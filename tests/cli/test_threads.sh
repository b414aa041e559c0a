#!/bin/sh
# One thread and two give the same bytes: features, models, scores, answers and explanations.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
[ "$(nproc)" -ge 2 ] || { echo "skipped: one processor"; exit 77; }
"$tools/make_dataset" pooled 40 64 || fail "make_dataset"
"$tools/make_region_set" maps 200 9 16 12 12 || fail "make_region_set"
"$tools/make_pictures" own || fail "make_pictures"
expect 0 "7 seen, 2 unseen" "$unseen" import folder own --attributes own.csv \
    --unseen "blue blue,red green" -o photos -q

# both COMMAND...: with "@" in the arguments replaced by the number of threads, 1 and 2.
both() {
    for n in 1 2; do
        line=
        for word in "$@"; do line="$line $(printf '%s' "$word" | sed "s/@/$n/g")"; done
        # shellcheck disable=SC2086
        output=$("$unseen" $line --threads $n -q 2>&1) || fail "$line: $output"
    done
}
# equal NAME: the files NAME with 1 and with 2 in the place of "@" are there and the same.
equal() {
    one=$(printf '%s' "$1" | sed 's/@/1/g')
    two=$(printf '%s' "$1" | sed 's/@/2/g')
    [ -s "$one" ] || fail "$one is missing"
    cmp "$one" "$two" || fail "$1 depends on the number of threads"
}

both extract --backbone builtin:descriptor --data photos --image-size 32 --name descriptor@
equal photos/features/descriptor@.safetensors
equal photos/features/descriptor@-regions.safetensors
"$tools/fuzz_replay" --make seeds >/dev/null || fail "no weights of small networks"
for network in resnet mobilenetv2 vit swin; do
    cp seeds/backbone/$network $network.safetensors
    both extract --backbone $network.safetensors --data photos --image-size 32 --name $network@
    equal photos/features/$network@.safetensors
    equal photos/features/$network@-regions.safetensors
done

# check MODEL DATA [FEATURES]: of a model that was trained with each, all that it answers.
check() {
    equal $1@.model
    both eval $1@.model --data $2 --per-class $1-classes@.csv --curve $1-curve@.csv \
        --confusion $1-confusion@.csv --json $1-eval@.json
    equal $1-classes@.csv
    equal $1-curve@.csv
    equal $1-confusion@.csv
}
for precision in f32 bf16; do
    both train dem --data pooled --epochs 4 --precision $precision -o dem-$precision-@.model
    check dem-$precision- pooled
    both train dem --data pooled --epochs 4 --precision $precision --batching class-means \
        --set whiten=0.5 -o means-$precision-@.model
    check means-$precision- pooled
    both train msdn --data maps --epochs 3 --precision $precision -o msdn-$precision-@.model
    check msdn-$precision- maps
    both train dedn --data maps --epochs 2 --precision $precision -o dedn-$precision-@.model
    check dedn-$precision- maps
    both train eszsl --data maps --precision $precision -o eszsl-$precision-@.model
    check eszsl-$precision- maps
done

# Pictures: answers and explanations.
expect 0 "" "$unseen" words photos --vectors builtin:words -q
both train msdn --data photos --features descriptor1-regions --epochs 1 --select none -o photos@.model
equal photos@.model
picture=own/red_red.png
cp "own/red red/1.png" $picture
both predict photos1.model "$picture" --json answers@.json
equal answers@.json
both explain photos1.model "$picture" -o why@
equal why@/red_red/explanation.json
finish
