#!/bin/sh
# What was built can be handed on: no folder of the build in it, nothing loaded from the current
# directory, and the protections that distributions ask for.
. "$(dirname "$0")/common.sh"
build=$(cd "$(dirname "$unseen")" && pwd -P)
source=$(cd "$(dirname "$0")/../.." && pwd -P)
for file in unseen libunseen.so; do
    dynamic=$(readelf -d "$build/$file") || fail "readelf $file"
    case $dynamic in
    *RUNPATH* | *RPATH*) fail "$file has a search path: $dynamic" ;;
    esac
    case $dynamic in
    *BIND_NOW*) ;;
    *) fail "$file binds lazily" ;;
    esac
    readelf -l "$build/$file" | grep -q GNU_RELRO || fail "$file: no RELRO"
    readelf -l "$build/$file" | grep 'GNU_STACK' -A1 | grep -q 'RWE' && fail "$file: executable stack"
done
readelf -h "$build/unseen" | grep -q 'DYN' || fail "unseen is not position-independent"
if nm -D "$build/unseen" | grep -q __asan; then
    left_out "checked buffers and paths: a sanitised build has neither"
    finish
fi
case $(readelf -h "$build/unseen") in
*X86-64*)
    for file in unseen libunseen.so; do
        [ "$(objdump -d "$build/$file" | grep -c endbr64)" -gt 500 ] ||
            fail "$file: targets of jumps are not marked"
    done
    ;;
esac
for file in unseen libunseen.so libunseen.a; do
    for folder in "$build" "$source"; do
        strings -a "$build/$file" | grep -F "$folder" && fail "$file names $folder"
    done
done
# No two source files need each other: what each defines and uses, of object files whose source is still
# there. A source that is compiled for several instruction sets is one.
find "$build"/CMakeFiles/unseen*.dir -name '*.c.o' | while read -r object; do
    file=${object#*.dir/}
    file=${file%.o}
    [ -f "$source/$file" ] || continue
    nm -g "$object" | awk -v file="$file" '{ print $(NF - 1) == "U" ? "uses" : "defines", $NF, file }'
done | sort -u >"$scratch/symbols"
[ "$(cut -d ' ' -f 3 "$scratch/symbols" | sort -u | wc -l)" -gt 150 ] || fail "few object files in $build"
awk '$1 == "defines" { where[$2, ++n[$2]] = $3 }
    $1 == "uses" { for (i = 1; i <= n[$2]; i++) if (where[$2, i] != $3) print $3, where[$2, i] }' \
    "$scratch/symbols" | sort -u >"$scratch/needs"
[ "$(wc -l <"$scratch/needs")" -gt 1000 ] || fail "few files need others"
circles=$(tsort "$scratch/needs" 2>&1 >/dev/null) || fail "files need each other: $circles"
# Names of files are ours alone, also in a program that is linked with the objects as they are: all
# begin with un_ or unseen_. (test_abi.sh: libunseen.a has the public ones only.)
names=$(nm -g --defined-only "$build/libunseen_whole.a" | awk 'NF == 3 {print $3}')
[ "$(echo "$names" | grep -c '^un_')" -gt 500 ] || fail "nm does not list the objects"
foreign=$(echo "$names" | grep -v -e '^un_' -e '^unseen_' | tr '\n' ' ')
[ -z "$foreign" ] || fail "names that are not ours alone: $foreign"
# What nobody uses is not kept: a name that stands once where it is defined, at most once where it is
# declared, and nowhere else. (Names that macros put together stand in no source as a whole.)
words() { find "$@" -exec cat {} + | grep -oE '\bun(seen)?_[A-Za-z0-9_]+\b' | sort | uniq -c; }
unused=$({
    cd "$source" || exit 1
    words src -name '*.c'
    echo
    words src include -name '*.h'
    echo
    words tests examples bench -name '*.[ch]'
    echo
    echo "$names"
} | awk 'BEGIN { part = 0 }
    NF == 0 { part++; next }
    part < 3 { count[part, $2] = $1; next }
    count[0, $1] == 1 && count[1, $1] <= 1 && !((2, $1) in count)' | tr '\n' ' ')
[ -z "$unused" ] || fail "nobody uses $unused"
nm -D "$build/unseen" | grep -q '_chk@' || fail "no checked buffers"
nm -D "$build/unseen" | grep -q '__stack_chk_fail' || fail "no stack protector"
finish
