#!/bin/sh
# `make miri`: the chapters with unsafe code, or with hand-made wakers, and mini-runtime, under Miri.
set -eu
cd "$(dirname "$0")/.."

# A toolchain is big: one that is missing is named, and not installed by the way.
if ! RUSTUP_AUTO_INSTALL=0 cargo +nightly miri --version >/dev/null 2>&1; then
    echo "Skipped: Miri is missing. To get it:"
    echo "    rustup toolchain install nightly --component miri --component rust-src"
    exit
fi

# A folder of its own: what Miri builds cannot be used by anything else.
cargo +nightly miri test --target-dir target/miri --lib --tests \
    -p trace -p ch02-future -p ch03-block-on -p ch04-waker -p ch05-executor

# Of chapter 11 what needs no epoll, no processes and no loom, which has a memory model of its own.
cargo +nightly miri test --target-dir target/miri -p ch11-threads --lib \
    --test on_a_parker --test inbox --test wakers --test oneshot --test pool --test handle

# Of chapter 13 what needs no ring, and not too many steps.
cargo +nightly miri test --target-dir target/miri -p ch13-completion --test buffers

# Of mini-runtime what needs neither sockets, which Miri does not have, nor too many steps. It knows epoll,
# and no io_uring. For epoll it goes by the real clock, and may be slow: the watchdog waits longer.
cargo +nightly miri test --target-dir target/miri -p mini-runtime --lib
MIRIFLAGS="${MIRIFLAGS:-} -Zmiri-disable-isolation" TEST_DEADLINE_MS=900000 \
    cargo +nightly miri test --target-dir target/miri -p mini-runtime \
    --test join --test join_set --test panics --test handle -- \
    epoll:: --skip thousand --skip buffer --skip sleeping --skip each_other
