#!/bin/sh
# Runs a cmocka program in a folder of its own, so that tests may run at once, and says with status
# 77, which ctest shows as skipped, that a part of it could not run here: run.sh PROGRAM. Else a
# test that skips would count as one that passed.
folder=$(mktemp -d "${TMPDIR:-/tmp}/unseen-unit-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
"$@" >said 2>&1
status=$?
cat said
[ $status = 0 ] || exit $status
grep -q '^\[  SKIPPED \]' said && exit 77
exit 0
