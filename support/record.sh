#!/bin/sh
# `make record`: records the runs that the book replays anew.
set -eu
cd "$(dirname "$0")/.."

cargo build --quiet --workspace --examples
RECORD=1 cargo test --quiet --workspace --test replays
git status --short -- book/src
