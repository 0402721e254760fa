#!/bin/sh
# `make asan`: chapter 13, where the kernel writes to our memory, under AddressSanitizer.
#
# It sees what our own code does to memory that was freed, and what is never freed. What the kernel writes
# it does not see: the tests themselves look after that.
set -eu
cd "$(dirname "$0")/.."

skip() {
    echo "Skipped: $1 To get it:"
    echo "    rustup toolchain install nightly --component rust-src"
    exit
}

# A toolchain is big: one that is missing is named, and not installed by the way.
version=$(RUSTUP_AUTO_INSTALL=0 rustc +nightly -vV 2>/dev/null) || skip "a nightly toolchain is missing."
sysroot=$(rustc +nightly --print sysroot)
[ -d "$sysroot/lib/rustlib/src/rust/library" ] || skip "the sources of the standard library are missing."
host=$(printf '%s\n' "$version" | sed -n 's/^host: //p')

# A folder of its own: what is built like this cannot be used by anything else. Two tests leak by intent.
RUSTFLAGS=-Zsanitizer=address cargo +nightly test -Zbuild-std --target "$host" \
    --target-dir target/asan -p ch13-completion \
    --test buffers --test by_hand --test cancel --test driver --test file --test leaks --test net \
    -- --skip a_forgotten_operation --skip does_not_free_the_buffers_of_others
