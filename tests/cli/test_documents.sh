#!/bin/sh
# The documents name files, functions and tests that are there, README stays short, links lead
# somewhere.
. "$(dirname "$0")/common.sh"
source=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$source" || exit 1
documents="README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md docs/*.md tests/CASES.md"
[ "$(wc -l <README.md)" -le 150 ] || fail "README.md has $(wc -l <README.md) lines"
paths=0
for document in $documents; do
    folder=$(dirname "$document")
    for path in $(grep -oE '\b(src|tests|docs|include|examples|bench)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' "$document" | sort -u); do
        paths=$((paths + 1))
        case $path in
        *NAME*) continue ;; # to be filled in
        esac
        [ -e "$path" ] || [ -e "$folder/$path" ] || fail "$document names $path"
    done
    for link in $(grep -oE '\]\([^)#]*' "$document" | cut -c3- | sort -u); do
        case $link in
        http*) continue ;;
        esac
        [ -e "$folder/$link" ] || fail "$document links to $link"
    done
    for path in $(grep -oE '`(unit|cli|golden)/[A-Za-z0-9_]*\.(c|sh)' "$document" | cut -c2- | sort -u); do
        [ -e "tests/$path" ] || fail "$document names tests/$path"
    done
    case $document in
    CHANGELOG.md) continue ;; # tells of what was
    esac
    for name in $(grep -oE '\b(un|unseen)_[a-z0-9_]+\b' "$document" | sort -u); do
        grep -rqwF "$name" src include || fail "$document names $name"
    done
done
[ $paths -gt 40 ] || fail "only $paths paths were found"

# In a row of CASES.md, a word alone behind a file of unit/ is a test in it.
awk -F'|' '/^\|/ {
    for (c = 1; c <= NF; c++) {
        file = "no file"
        n = split($c, items, /[,;]/)
        for (i = 1; i <= n; i++) {
            item = items[i]
            gsub(/^ +| +$/, "", item)
            if (match(item, /^`[^`]*`/)) {
                file = substr(item, 2, RLENGTH - 2)
                item = substr(item, RLENGTH + 2)
            }
            if (item ~ /^[a-z0-9_]+$/ && (file ~ /^unit\// || item ~ /_/)) print item, file
        }
    }
}' tests/CASES.md >"$scratch/tests"
tests=0
while read -r name file; do
    tests=$((tests + 1))
    grep -qs "^static void $name(void \*\*state)" "tests/$file" ||
        fail "CASES.md names the test $name in $file, where it is not"
done <"$scratch/tests"
for name in $(grep -oE '`fuzz_[a-z0-9_]+`' tests/CASES.md | tr -d '`'); do
    [ -e "tests/fuzz/$name.c" ] || fail "CASES.md names $name"
done
[ $tests -gt 60 ] || fail "only $tests tests were found in CASES.md"
finish
