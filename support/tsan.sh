#!/bin/sh
# `make tsan`: chapter 11, where threads meet, under ThreadSanitizer.
set -eu
cd "$(dirname "$0")/.."

# Neither is installed by the way: both are big.
if ! sysroot=$(RUSTUP_AUTO_INSTALL=0 rustc +nightly --print sysroot 2>/dev/null) ||
    ! [ -d "$sysroot/lib/rustlib/src/rust/library" ]; then
    echo "Skipped: the nightly toolchain or the source of std is missing. To get both:"
    echo "    rustup toolchain install nightly --component rust-src"
    exit
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
case $host in
x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
*)
    echo "Skipped: no ThreadSanitizer for $host."
    exit
    ;;
esac

# std is built anew, or its locks and its Arc would be unknown to the sanitizer, and each use of them a
# race. It knows no fences: std's Arc has another way for it, and this chapter has none of its own.
# Not here: the demos, the models (loom's own threads), and the test that takes away the room for threads
# (the sanitizer needs plenty).
# All is slower under it, so the watchdog waits longer.
RUSTFLAGS="-Zsanitizer=thread" TEST_DEADLINE_MS=180000 cargo +nightly test --target-dir target/tsan \
    -Zbuild-std --target "$host" -p ch11-threads \
    --test inbox --test wakers --test oneshot --test pool --test handle \
    --test conformance --test bridges --test descriptors
