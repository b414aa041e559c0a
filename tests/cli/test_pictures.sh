#!/bin/sh
# From pictures to answers by commands alone: extract (killed, resumed, with bad pictures), train,
# predict, new classes.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
for d in birds other; do
    "$unseen" import tinybirds --images-per-class 6 --size 96 -o $d >/dev/null 2>&1 || fail "import"
done

extract="$unseen extract --backbone builtin:descriptor --image-size 96 --name d --batch 4"

# Stopped and taken up again: the same bytes as without.
$extract --data birds --quiet >/dev/null || fail extract
interrupted TERM "other/features/*.partial" "other/features/d.safetensors" \
    $extract --data other --quiet
grep -q "goes on from there" interrupted ||
    fail "a stopped extraction did not say how to go on: $(cat interrupted)"
$extract --data other --quiet >out || fail "resume"
for f in d d-regions; do
    cmp birds/features/$f.safetensors other/features/$f.safetensors || fail "$f differs after a stop"
done
ls other/features | grep -v safetensors$ && fail "something was left behind"
$extract --data other --quiet | grep -q "already there" || fail "again"
expect 1 "made in another way" $extract --data other --image-size 128 --pooled

# kill_when_gone PATH COMMAND...: kills the command as soon as the file is gone; 137 if it came to
# that.
kill_when_gone() {
    path=$1
    shift
    "$@" --quiet >/dev/null 2>&1 &
    pid=$!
    while [ -e "$path" ] && ! is_over $pid; do sleep 0.002; done
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
}

# What another way of extracting has overwritten is not taken up, even if that was killed before
# it could say so.
partial=other/features/d.safetensors.partial
for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf other/features/*
    interrupted TERM $partial other/features/d.safetensors $extract --data other --quiet || break
    [ -e other/features/d.journal ] || fail "a stopped extraction left no journal"
    kill_when_gone other/features/d.journal $extract --data other --image-size 128
    killed=$?
    [ $killed = 137 ] && break
done
[ "$killed" = 137 ] || fail "another way of extracting was never killed"
[ -e other/features/d.journal ] && fail "a journal outlived its rows"
rm -f other/features/d.safetensors other/features/d-regions.safetensors
$extract --data other --quiet >/dev/null || fail "extract after another way was killed"
for f in d d-regions; do
    cmp birds/features/$f.safetensors other/features/$f.safetensors || fail "$f has other rows"
done

# The same folder under another name is the same folder; one whose path is no text is said to be.
rm -rf other/features/*
mv other/images elsewhere
interrupted TERM $partial other/features/d.safetensors $extract --data other --images elsewhere
$extract --data other --images "$PWD/elsewhere" >out 2>&1 || fail "--images: $(cat out)"
grep -q "[1-9][0-9]* of them from an earlier run" out || fail "a folder under another name began anew: $(cat out)"
mv elsewhere "$(printf 'no\377text')"
expect 1 "is not valid UTF-8 text; rename it" $extract --data other --images no*text --name e
expect 1 "is not valid UTF-8 text; rename it" "$unseen" check other --images no*text
mv no*text other/images

# An extraction of another kind that finds the file in another's hands takes nothing from that one.
rm -rf other/features/*
interrupted TERM $partial other/features/d.safetensors $extract --data other --quiet
expect 1 "another process is writing" flock $partial $extract --data other --image-size 128
[ -e other/features/d.journal ] || fail "the journal of another process was removed"

# A partial file that is not what its journal tells of is refused once, then made anew.
rm -rf other/features/*
interrupted TERM $partial other/features/d.safetensors $extract --data other --quiet
[ -e other/features/d.journal ] || fail "a stopped extraction left no journal"
: >$partial
expect 1 "not what an earlier run left" $extract --data other
$extract --data other --quiet >/dev/null || fail "extract after a damaged partial file"
cmp birds/features/d.safetensors other/features/d.safetensors || fail "damaged rows were taken up"

# Bad pictures are named and get no features, the split stays; --strict makes them fatal, also those that an
# earlier run passed over.
bad=$(find other/images -name '*.png' | sort | head -3)
for f in $bad; do head -c 300 "$f" >cut && cp cut "$f"; done
expect 1 "$(echo $bad | cut -d' ' -f1 | xargs basename)" $extract --strict --data other --name again
interrupted TERM other/features/again.safetensors.partial other/features/again.safetensors \
    $extract --data other --name again --quiet
expect 1 "$(echo $bad | cut -d' ' -f1 | xargs basename)" $extract --strict --data other --name again
rm -f other/features/again*
$extract --data other --name again >out 2>err || fail "bad pictures"
[ "$(grep -c 'left out' err)" -ge 3 ] || fail "bad pictures were not named: $(cat err)"
grep -q "3 damaged" out || fail "bad pictures were not counted: $(cat out)"
"$unseen" check other | grep -q 'features "again": 3 images have none' || fail "no word about bad pictures"

# What the system does not let us read is told apart from what is damaged, also after a stop.
gone=$(find other/images -name '*.png' | sort | sed -n 5p)
ln -sf nowhere.png "$gone"
interrupted TERM other/features/third.safetensors.partial other/features/third.safetensors \
    $extract --data other --name third --quiet
$extract --data other --name third >out 2>>err || fail "an unreadable picture"
grep -q "3 damaged, 1 could not be read" out || fail "the unreadable picture was not counted: $(cat out)"
grep -q "cannot be read, left out: .*$(basename "$gone")" err || fail "it was not named: $(cat err)"
"$unseen" check other | grep -q 'features "third": 4 images have none' || fail "no word about it"

# Train on pooled and on region features, ask about pictures.
"$unseen" train msdn --data birds --features d-regions --select none --epochs 1 \
    -o m.model --quiet >/dev/null || fail "train msdn"
"$unseen" train eszsl --data birds --features d -o e.model --quiet >/dev/null || fail "train eszsl"
photo=$(find birds/images -name '*.png' | sort | tail -1)
for model in m e; do
    "$unseen" predict $model.model "$photo" --top 3 >out || fail "predict"
    [ "$(grep -c "^ " out)" = 3 ] || fail "not three candidates: $(cat out)"
    echo "$photo" | "$unseen" predict $model.model - --json answers.json || fail "list"
    grep -q '"predictions":\[{"label":' answers.json || fail "JSON: $(cat answers.json)"
    "$unseen" predict $model.model "$(dirname "$photo")" --csv answers.csv --top 1 || fail "folder"
    [ "$(wc -l <answers.csv)" = 7 ] || fail "CSV: $(cat answers.csv)"
done

# ESZSL's scores are sums over attributes and nothing else, of one branch.
"$unseen" explain e.model "$photo" --among unseen -o why >/dev/null || fail "explain eszsl"
explanation=$(find why -name explanation.json)
awk '/"constant":/ { exit !($2 + 0 < 1e-5 && $2 + 0 > -1e-5) }' "$explanation" || fail "contributions do not add up"
grep -q '"score": \[\]' "$explanation" && fail "no attribute scores"

# A class described after training, whole and by a few attributes.
printf 'Newbird,has_bill_color::red=1,has_size::small=0.9\n' >sparse.csv
printf 'name\thas_bill_color::red\thas_size::small\nOther bird\t100\t\n' >table.tsv
"$unseen" predict m.model "$photo" --classes sparse.csv --classes table.tsv --among new --top 9 >out || fail "new"
grep -q "Newbird" out && grep -q "Other bird" out || fail "new classes: $(cat out)"
printf 'Newbird,has_bill_colour::red=1\n' >wrong.csv
expect 1 "did you mean" "$unseen" predict m.model "$photo" --classes wrong.csv
printf 'Newbird,has_size::small=x\n' >wrong.csv
expect 1 "line 1" "$unseen" predict m.model "$photo" --classes wrong.csv
seen=$("$unseen" predict m.model "$photo" --among seen --top 1 --csv - | sed -n 2p | cut -d, -f3)
echo "$seen,has_size::small=1" >again.csv
expect 0 "\"$seen\" has a new description; m.model was trained with another" \
    "$unseen" predict m.model "$photo" --classes again.csv
"$unseen" predict m.model "$photo" --classes again.csv --among new --csv - -q 2>/dev/null |
    grep -q ",$seen,[^,]*,1," || fail "a class described anew should stay seen and count as new"

# What cannot be read is named, the rest is answered, the status says so.
echo text >broken.jpg
expect 1 "broken.jpg" "$unseen" predict m.model broken.jpg "$photo"
expect 1 "is no usable picture" "$unseen" predict m.model broken.jpg "$photo"
expect 1 "cannot be read" "$unseen" predict m.model gone.jpg "$photo"
expect 1 "cannot open gone.jpg" "$unseen" predict m.model gone.jpg "$photo" --json gone.json
grep -q '"readable": *false' gone.json || fail "a picture that is not there, in JSON"
expect 1 "no pictures" "$unseen" predict m.model "$scratch/birds/features"
expect 2 "which pictures" "$unseen" predict m.model
finish
