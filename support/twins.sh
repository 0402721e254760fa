#!/bin/sh
# `make twins`: measures what each part of mini-runtime costs beside its small twin of the chapters, and
# writes the tables of the book's last part. Takes some minutes, on a machine that has nothing else to do.
set -eu
cd "$(dirname "$0")/.."

missing=
for tool in cargo valgrind strace taskset chrt; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    echo "The twins are not measured. Missing:$missing" >&2
    exit 1
fi

folder=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --manifest-path bench/twins/Cargo.toml --target-dir "$folder"

# Beside the old one, which stays if this fails.
tables=book/src/15-mini/measured.txt
trap 'rm -f "$tables.new"' EXIT
"$folder/release/measure" "$@" >"$tables.new"
if [ $# -eq 0 ]; then
    mv "$tables.new" "$tables"
    echo "The tables are in $tables."
else
    cat "$tables.new"
fi
