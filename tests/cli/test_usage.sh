#!/bin/sh
# Exit codes, help texts and sentences about wrong usage.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1

expect 2 "Usage" "$unseen"
expect 0 "COMMAND" "$unseen" --help
expect 0 "oneDNN" "$unseen" --version
expect 0 "oneDNN" "$unseen" -v --version
expect 0 "COMMAND" "$unseen" --quiet -v --help
expect 2 "no command \"-v\"" "$unseen" -v train --version
expect 2 "did you mean \"train\"" "$unseen" trian
for command in import check inspect train eval bench; do
    expect 0 "Usage: unseen $command" "$unseen" "$command" --help
    expect 2 "" "$unseen" "$command" --no-such-option
done

# Threads that wait sleep (libgomp tells how long they spin): set before the program's libraries
# start where a shell's own variable is there, by a second start where none is. A user's setting stays.
spins() {
    env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT -u SHLVL -u _ OMP_DISPLAY_ENV=verbose "$@" \
        "$unseen" --version 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\([^']*\)'.*/\1/p" | tr '\n' ' '
}
for variable in SHLVL=1 _=/bin/sh; do
    [ "$(spins "$variable")" = "0 " ] || fail "with $variable threads spin: $(spins "$variable")"
done
case $(spins) in *" 0 ") ;; *) fail "without a shell's variables threads spin: $(spins)" ;; esac
[ "$(spins SHLVL=1 GOMP_SPINCOUNT=77)" = "77 " ] || fail "a user's GOMP_SPINCOUNT does not stay"

expect 2 "which method" "$unseen" train
expect 2 "--data is missing" "$unseen" train dem -o m
expect 2 "-o is missing" "$unseen" train dem --data d
expect 2 "did you mean \"dem\"" "$unseen" train dam --data d -o m
expect 2 "no method \"nonsense\"" "$unseen" bench nonsense
expect 2 "no architecture \"RESNET50\"" "$unseen" bench backbone --arch RESNET50
expect 1 "cannot open" "$unseen" train dem --data no-such-folder -o m
expect 0 "cub-vgg" "$unseen" train dem --settings
expect 1 "cannot open" "$unseen" eval no-such-model --data no-such-folder

"$tools/make_dataset" toy || fail "make_dataset"
expect 1 "did you mean \"hidden\"" "$unseen" train dem --data toy -o m --set hiden=3
expect 1 "must be" "$unseen" train dem --data toy -o m --set lr=fast
expect 1 "must be" "$unseen" train dem --data toy -o m --set hidden=0
expect 1 "whiten must be a number between 0 and 1 or no|auto" \
    "$unseen" train dem --data toy -o m --set whiten=2
expect 1 "no preset" "$unseen" train dem --data toy -o m --preset cubb
expect 1 "att" "$unseen" train dem --data toy -o m --semantics attt
expect 1 "toy" "$unseen" train dem --data toy -o m --features nothing
expect 1 "select must be" "$unseen" train dem --data toy -o m --select tset
expect 1 "precision must be" "$unseen" train dem --data toy -o m --precision f16
expect 2 "from 0 to 1024" "$unseen" train dem --data toy -o m --threads -3
# Numbers that a variable of the program cannot hold are not cut to fit.
expect 2 "from 0 to 1024" "$unseen" train dem --data toy -o m --threads 4294967298
expect 2 "from 0 to 1024" "$unseen" train dem --data toy -o m --threads 1.5
expect 2 "at least 0" "$unseen" train dem --data toy -o m --seed 18446744073709551616
expect 2 "from 1" "$unseen" train dem --data toy -o m --steps 99999999999999999999
# Every number of an option, with the name of the option in the sentence.
wrong_number() { # OPTION VALUE COMMAND...
    option=$1 value=$2
    shift 2
    expect 2 "$option wants" "$unseen" "$@" "$option" "$value"
}
for value in "" x -1 +1 " 1" 1x 0x10 1.5 99999999999999999999; do
    wrong_number --seeds "$value" train dem --data toy -o m
    wrong_number --seeds "1,$value" train dem --data toy -o m
    wrong_number --seed "$value" train dem --data toy -o m
    wrong_number --threads "$value" inspect toy
    wrong_number --steps "$value" train dem --data toy -o m
    wrong_number --unseen-count "$value" import folder toy -o d
    wrong_number --images-per-class "$value" demo -o d
    wrong_number --images-per-class "$value" import tinybirds -o d
    wrong_number --size "$value" import tinybirds -o d
    wrong_number --image-size "$value" extract --data toy --backbone builtin:descriptor
    wrong_number --top "$value" predict m p
    for option in --attributes --classes --features --regions --vectors --images --steps \
        --warmup --scored; do
        wrong_number $option "$value" bench dem
    done
    for option in --batch --image-size --steps; do
        wrong_number $option "$value" bench backbone
    done
    wrong_number --memory "$value" bench ceilings
done
for value in "" x -1 -5 +1 " 1" 1x 0x10 1e3 nan inf 99999999999; do
    wrong_number --checkpoint-every "$value" train dem --data toy -o m
done
# Numbers are decimal.
expect 1 "lr must be a number" "$unseen" train dem --data toy -o m --set lr=0x1
expect 1 "lr must be a number" "$unseen" train dem --data toy -o m --set lr=0x1p-3
[ -e m ] && fail "a setting in hexadecimal was taken"
expect 0 "written to" "$unseen" train dem --data toy -o decimal.model --set lr=1e-3 --epochs 1
expect 1 "gamma must be" "$unseen" eval decimal.model --data toy --gamma 0x1
# Every output that does not arrive is a failure; a reader that has seen enough is none to complain of.
for line in --help --version "train dem --help" "inspect toy" "inspect toy --json -"; do
    (eval "\"$unseen\" $line" >/dev/full) 2>err && fail "$line >/dev/full ended with 0"
    grep -q "cannot write to standard output" err || fail "$line >/dev/full says $(cat err)"
    (eval "\"$unseen\" $line" 2>err) | :
    grep . err && fail "$line complains of a closed pipe"
done
expect 1 "no folder" "$unseen" train dem --data toy -o no/such/folder/m --epochs 1
"$tools/make_dataset" huge 10 32 1e25 || fail "make_dataset"
expect 1 "lower lr" "$unseen" train dem --data huge -o m --epochs 2 --set whiten=no
[ -e m ] && fail "a failed training left a model"
printf 'garbage' >broken.model
expect 1 "broken.model" "$unseen" eval broken.model --data toy
head -c 3000 toy/dataset.safetensors >cut
mkdir -p cutset/features && cp toy/features/* cutset/features/ && mv cut cutset/dataset.safetensors
expect 1 "cutset" "$unseen" check cutset
finish
