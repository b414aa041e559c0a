#!/bin/sh
# The functions that the libraries offer are those of the kept list: they change on purpose only.
. "$(dirname "$0")/common.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(dirname "$unseen")
list=$here/tests/data/abi/libunseen.txt
cd "$scratch" || exit 1
names() { awk 'NF >= 3 && $2 ~ /[TDBRVW]/ {print $3}' | LC_ALL=C sort; }
if nm -D "$build/libunseen.so" | grep -q __asan; then
    nm -D --defined-only "$build/libunseen.so" | names | grep '^un' >shared
else
    nm -D --defined-only "$build/libunseen.so" | names >shared
fi
nm -g --defined-only "$build/libunseen.a" 2>/dev/null | names >static
grep -ohE '\bunseen_[a-z0-9_]+\(' "$here"/include/*.h | tr -d '(' | LC_ALL=C sort -u >declared
for found in shared static; do
    cmp -s "$list" $found || fail "the $found library offers other functions than \
tests/data/abi/libunseen.txt has; if that is meant, keep them with: make abi
$(diff "$list" $found | grep '^[<>]')"
done
# Handlers that others keep lie in it.
readelf -d "$build/libunseen.so" | grep -q NODELETE || fail "libunseen.so can be unloaded"
missing=$(LC_ALL=C comm -23 "$list" declared)
[ -z "$missing" ] || fail "offered, but in no public header: $missing"
soname=$(readelf -d "$build/libunseen.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = "libunseen.so.$("$unseen" --version | sed -n '1s/.* \([0-9]*\)\..*/\1/p')" ] ||
    fail "SONAME is $soname"
finish
