#!/bin/sh
# Importing the real CUB files: figures, a kill in the middle, damaged files.
. "$(dirname "$0")/common.sh"
need_shared
cd "$scratch" || exit 1
cub=$UNSEEN_SHARED/data/xlsa17/CUB
import="$unseen import xlsa17 --features $cub/vgg_fc7.mat --splits $cub/att_splits.mat
    --semantics sent=$cub/sent_splits.mat --validation $cub/sent_splits.mat"

# Killed in the middle: no directory under the final name, and the next import works.
for file in CUB.partial CUB.partial/features "CUB.partial/features/*"; do
    interrupted KILL "$file" CUB $import -o CUB -q
done
expect 0 "Proposed Split of 2020" $import -o CUB
ls -d CUB.* .CUB* 2>/dev/null && fail "the import left something beside its directory"
expect 0 "trainval 7057, test_seen 1764, test_unseen 2967" "$unseen" check CUB
expect 0 "150 seen, 50 unseen" "$unseen" check CUB
expect 0 "1173 + 591" "$unseen" check CUB
expect 1 "CUB" $import -o CUB

# A feature file cut short, a split file that is none.
head -c 5000000 "$cub/vgg_fc7.mat" >cut.mat
expect 1 "cut.mat" "$unseen" import xlsa17 --features cut.mat --splits "$cub/att_splits.mat" -o x
printf 'no mat file' >none.mat
expect 1 "none.mat" "$unseen" import xlsa17 --splits none.mat -o x
expect 1 "no-such" "$unseen" import xlsa17 --splits no-such.mat -o x
[ -e x ] && fail "a failed import left a directory"

# The six split files alone.
for set in CUB AWA1 AWA2 SUN APY FLO; do
    expect 0 "Proposed Split of 2020" "$unseen" import xlsa17 \
        --splits "$UNSEEN_SHARED/data/xlsa17/$set/att_splits.mat" -o "split-$set"
    expect 0 "0 errors" "$unseen" check "split-$set"
done
finish
