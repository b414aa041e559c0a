#!/bin/sh
# Pictures as people have them: told by content, not by ending; what cannot be read is named and the
# rest is answered; names of any bytes; lists from other programs.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
echo "class,r,g,b" >c.csv
for k in 1 2 3 4; do
    mkdir -p all/kind$k
    "$tools/make_turned" pictures$k $k || fail "pictures"
    for f in jpg-1.jpg png-1.png webp-1.webp tif-1.tif upright.png; do cp pictures$k/$f all/kind$k/; done
    echo "kind$k,0.$((k * 3 % 10)),0.$((k * 7 % 10)),0.$k" >>c.csv
done
mv all/kind1/jpg-1.jpg all/kind1/jpg-1.jfif
mv all/kind2/png-1.png all/kind2/"no ending"
printf '\377\012 a JPEG XL picture' >all/kind3/x.jxl
cp pictures1/upright.png "all/kind4/$(printf 'caf\351').png"
printf 'x' >all/kind1/Thumbs.db
mkdir -p all/__MACOSX/kind1 && printf 'x' >all/__MACOSX/kind1/._1.jpg && cp pictures1/upright.png all/__MACOSX/
printf '%s' "version https://git-lfs.github.com/spec/v1" >all/kind2/lfs.jpg
"$unseen" import folder all --attributes c.csv --unseen kind4 -o d >out 2>err
[ $? = 1 ] || fail "the status of import does not tell of the JPEG XL picture"
grep -q '^unseen: 1 of 22 pictures cannot be read, "kind3/x.jxl" for one: it is a JPEG XL picture; convert' err ||
    fail "import does not name it: $(cat err)"
grep -q '1 of 22 pictures cannot be read, "kind2/lfs.jpg" for one: it is a Git LFS pointer' err ||
    fail "import does not name the pointer: $(cat err)"
[ "$(grep -c '^unseen: ' err)" = 1 ] || fail "import has more to say: $(cat err)"
"$unseen" check d >checked || fail "check: $(cat checked)"
grep -q '^warning  *1 of 22 pictures cannot be read, "kind3/x.jxl"' checked || fail "check: $(cat checked)"
"$unseen" check d --json - | grep -q 'lfs.jpg\\" for one: it is a Git LFS pointer' || fail "check --json"
grep -q "^images  *22$" out || fail "not all pictures were found: $(cat out)"
"$unseen" check d | grep -q "1 pictures were left out: their names are not valid UTF-8" || fail "no note about a name"
"$unseen" extract --backbone builtin:descriptor --image-size 64 --pooled --name d --data d >out 2>err ||
    fail "extract: $(cat err)"
grep -q "x.jxl: a JPEG XL picture is not read; convert" err || fail "what cannot be read is not named: $(cat err)"
"$unseen" train eszsl --data d --features d -q --threads 1 --select none --set gamma=1 --set lambda=1 \
    -o m.model >/dev/null || fail train

mkdir none
"$unseen" predict m.model none all/kind1 all/kind3 all/kind4 --top 1 --csv o.csv 2>err
[ $? = 1 ] || fail "the status does not tell of what was left out"
grep -q "there are no pictures below none" err || fail "an empty folder was not named: $(cat err)"
grep -q "x.jxl: a JPEG XL picture is not read" err || fail "the JPEG XL picture was not named: $(cat err)"
[ "$(LC_ALL=C grep -ac ',1,kind' o.csv)" = 16 ] || fail "the rest was not answered: $(cat o.csv)"
mkdir nothing
"$unseen" explain m.model none "all/kind1/jpg-1.jfif" all/kind3/x.jxl nothing -o why >out 2>err
[ $? = 1 ] || fail "the status of explain does not tell of what was left out"
grep -q "^unseen: there are no pictures below none, nor below 1 more" err || fail "explain: $(cat err)"
grep -q "x.jxl: a JPEG XL picture is not read" err || fail "explain: $(cat err)"
[ -s why/jpg-1/explanation.json ] || fail "explain: $(ls why)"
"$unseen" explain m.model all/kind1/jpg-1.jfif -o why2 -q >/dev/null || fail "explain of one good picture"
"$unseen" explain m.model all/kind1/jpg-1.jfif none -o why3 -q >/dev/null 2>&1
[ $? = 1 ] || fail "explain says nothing of an empty folder"
expect 0 "kind" "$unseen" predict m.model all/kind4 --json - --top 1

printf '\357\273\277all/kind1/jpg-1.jfif\r\n"all/kind2/no ending"\r\n\r\nall\\kind1\\jpg-1.jfif\r\n' |
    "$unseen" predict m.model - --top 1 --csv l.csv 2>err || fail "a list with a mark and quotes: $(cat err)"
[ "$(wc -l <l.csv)" = 4 ] || fail "the list: $(cat l.csv)"
finish
