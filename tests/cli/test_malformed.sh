#!/bin/sh
# Two hundred malformed pictures in a folder: each is named, none is fatal unless that is asked
# for, and the good ones among them are used. Under sanitizers nothing may leak on the way.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$unseen" import tinybirds --images-per-class 5 --size 96 -o birds >/dev/null 2>&1 || { echo "FAILED: import"; exit 1; }

# Five kinds, five good pictures each.
echo "class,red,large,crest" >kinds.csv
n=0
for folder in $(find birds/images -mindepth 1 -maxdepth 1 -type d | LC_ALL=C sort | head -5); do
    n=$((n + 1))
    mkdir -p photos/kind$n
    i=0
    for picture in "$folder"/*.png; do
        i=$((i + 1))
        cp "$picture" photos/kind$n/good$i.png
    done
    echo "kind$n,0.$n,0.$((9 - n)),0.$((n * 3 % 7))" >>kinds.csv
done
good=$(find photos -type f | wc -l)
[ "$good" = 25 ] || fail "$good good pictures"
whole=photos/kind1/good1.png
size=$(wc -c <$whole)

# be NUMBER, le NUMBER: four bytes for printf, the most or the least significant first.
be() { printf '\\%03o\\%03o\\%03o\\%03o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)); }
le() { printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

# A PNG whose header is sound but for its size, WIDTH HEIGHT; gzip ends with the CRC that it needs.
huge_png() {
    printf "IHDR$(be $1)$(be $2)\\010\\002\\000\\000\\000" >chunk
    printf '\211PNG\r\n\032\n\000\000\000\015'
    cat chunk
    for byte in $(gzip -c chunk | tail -c 8 | od -An -tu1 -N4 | awk '{ print $4, $3, $2, $1 }'); do
        printf "\\$(printf %03o "$byte")"
    done
    tail -c +34 $whole
}

endings="png jpg jpeg webp tif gif bmp PNG"
i=0
while [ $i -lt 200 ]; do
    ending=$(echo $endings | cut -d' ' -f$((i / 25 % 8 + 1)))
    name=photos/kind$((i % 5 + 1))/bad$i
    k=$((i / 20)) # which malformation
    j=$((i % 20))
    case $k in
    0) : >$name.$ending ;;
    1) yes "no picture, line $j" | head -n $((j + 1)) >$name.$ending ;;
    2) head -c $((j + 1)) $whole >$name.png ;;
    3) head -c $((size * (j + 1) / 22)) $whole >$name.$ending ;;
    4) { printf 'XNG' && tail -c +4 $whole; } >$name.png ;;
    5) huge_png $((2147483647 - j)) $((j % 2 ? 2147483647 : 100000)) >$name.png ;;
    6) { printf "BM$(le 1000)\\0\\0\\0\\0$(le 54)$(le 40)$(le $((2147483647 - j)))$(le $((j % 2 ? 64 : 2147483647)))\\001\\000\\030\\000" &&
        head -c $((j * 40)) /dev/zero; } >$name.bmp ;;
    7) { printf "BM$(le 12342)\\0\\0\\0\\0$(le 54)$(le 40)$(le 64)$(le 64)\\001\\000\\030\\000" &&
        head -c $((j * 600)) /dev/zero; } >$name.bmp ;;
    8) case $((j % 4)) in
        0) { printf 'GIF89a\377\377\377\377\200\000\000' && head -c $j $whole; } >$name.gif ;;
        1) { printf "RIFF$(le 1000)WEBPVP8 $(le 900)" && head -c $((j * 9)) $whole; } >$name.webp ;;
        2) { printf "II*\\000$(le 4000000000)" && head -c $((j * 9)) $whole; } >$name.tif ;;
        3) { printf 'MM\000*\000\000\000\010\377\377' && head -c $((j * 9)) $whole; } >$name.tiff ;;
        esac ;;
    9) if [ $((j % 2)) = 0 ]; then # 65535 x 65535 pixels, and no scan
        printf '\377\330\377\300\000\021\010\377\377\377\377\003\001\042\000\002\021\001\003\021\001' >$name.jpg
    else
        { printf '\377\330\377\340' && head -c $((j * 30)) $whole; } >$name.jpg
    fi ;;
    esac
    i=$((i + 1))
done
find photos -type f -name 'bad*' | LC_ALL=C sort >bad
[ "$(wc -l <bad)" = 200 ] || fail "$(wc -l <bad) malformed files"

expect 0 "5 (" "$unseen" import folder photos --attributes kinds.csv --unseen kind5 -o d
extract="$unseen extract --backbone builtin:descriptor --image-size 64 --data d"

first=$(head -1 bad)
expect 1 "$first" $extract --strict
[ "$(echo "$output" | grep -c 'photos/')" = 1 ] || fail "--strict went on: $output"
[ -e d/features/descriptor-1-64.safetensors ] && fail "--strict left features"

$extract --verbose >out 2>err || fail "malformed pictures ended the extraction: $(tail -3 err)"
grep -q "200 damaged" out || fail "they were not counted: $(cat out)"
[ "$(grep -c '^warning: left out' err)" = 5 ] || fail "not five warnings: $(head -9 err)"
grep -q "^warning: 195 more pictures were left out" err || fail "the rest was not counted"
sed -n 's/^\(warning: \)*left out: .*\(photos[^:]*\): .*/\2/p' err | LC_ALL=C sort >named
cmp -s bad named || fail "not each was named once: $(diff bad named | head -5)"
expect 0 "0 errors" "$unseen" check d
expect 0 "written to" "$unseen" train eszsl --data d --features descriptor-1-64 -o m.model \
    --select none --set gamma=1 --set lambda=1

"$unseen" predict m.model photos --top 1 --csv answers.csv 2>err
[ $? = 1 ] || fail "the status does not tell of malformed pictures"
sed -n 's/^unseen: \(photos[^:]*\): .*/\1/p' err | LC_ALL=C sort >named
cmp -s bad named || fail "predict did not name each once: $(diff bad named | head -5)"
[ "$(grep -c '^photos/kind./good..png,1,kind' answers.csv)" = 25 ] || fail "good ones were not answered"
[ "$(grep -c '^photos/kind./bad[^,]*,,,,,' answers.csv)" = 200 ] || fail "the list lacks malformed ones"
grep -il "sanitizer" err out && fail "a sanitizer has something to say"
expect 1 "not a regular file" sh -c "mkfifo fifo.png && '$unseen' predict m.model fifo.png $whole"
finish
