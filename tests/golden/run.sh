#!/bin/sh
# Checks every reference file of a folder: run.sh GOLDEN_CHECK FOLDER.
# Exits with 77 (skipped) where there are none.
program=$1
folder=$2
shift 2
for file in "$folder"/*.safetensors "$folder"/*.json; do
    if [ -e "$file" ]; then set -- "$@" "$file"; fi
done
if [ $# -eq 0 ]; then
    echo "skipped: no reference files in $folder"
    exit 77
fi
exec "$program" "$@"
