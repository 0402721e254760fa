#!/bin/sh
# `make bench-counts`: instructions and system calls for each operation, which hardly vary.
set -eu
cd "$(dirname "$0")/../bench"

command -v cargo >/dev/null || {
    echo "Cargo is missing. Call make start, which says how to get it." >&2
    exit 1
}
cargo build --release
exec cargo run --release --quiet -- counts "$@"
