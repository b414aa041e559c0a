#!/bin/sh
# Checks every reference file of a folder: run.sh FOLDER GOLDEN_CHECK, which may be several words.
# Exits with 77 (skipped) where there are none.
folder=$1
shift
found=0
for file in "$folder"/*.safetensors "$folder"/*.json; do
    if [ -e "$file" ]; then
        set -- "$@" "$file"
        found=1
    fi
done
if [ $found = 0 ]; then
    echo "skipped: no reference files in $folder"
    exit 77
fi
exec "$@"
