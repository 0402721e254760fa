#!/bin/sh
# `make test`: everything that has to hold, in the order in which a failure is cheapest.
set -eu
cd "$(dirname "$0")/.."
. support/tools.sh

command -v cargo >/dev/null || {
    echo "Cargo is missing. Call make start, which says how to get it." >&2
    exit 1
}

skipped=

step() {
    printf '\n==> %s\n' "$1"
}

# skip WHAT HOW-TO-GET-IT: says it now, and again at the end.
skip() {
    skipped="$skipped
    $1: $2"
    printf 'Skipped: %s\n' "$2"
}

at_the_end() {
    status=$?
    trap - EXIT
    [ -z "$skipped" ] || printf '\nSkipped for lack of a tool:%s\n' "$skipped"
    if [ "$status" -eq 0 ]; then
        printf '\nAll that was run has passed.\n'
    else
        printf '\nFailed: the lines above say where.\n' >&2
    fi
    exit "$status"
}
trap at_the_end EXIT

step "formatting"
if cargo fmt --version >/dev/null 2>&1; then
    cargo fmt --all --check
else
    skip formatting "rustfmt is missing. To get it: rustup component add rustfmt"
fi

step "clippy"
if cargo clippy --version >/dev/null 2>&1; then
    cargo clippy --workspace --all-targets -- -D warnings
else
    skip clippy "clippy is missing. To get it: rustup component add clippy"
fi

step "tests, failing demos and doc tests"
cargo test --workspace

step "the replays"
if command -v node >/dev/null; then
    node --test book/theme
else
    skip "the replays" "Node.js is missing, which is what tests the page's script."
fi

step "the exercises: starters, tests, planted bugs"
cargo x gen --check
cargo x verify

step "the map of the chapters"
cargo x map --check

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

step "the book's sources"
cargo x check-book

step "the book's spelling"
if hunspell -d en_GB -l </dev/null >/dev/null 2>&1; then
    cargo x spell
else
    skip "the book's spelling" "hunspell is missing. On Debian: apt-get install hunspell hunspell-en-gb"
fi

step "the book"
if need_mdbook; then
    # mdBook warns of what it cannot show, and goes on.
    if ! warnings=$(build_book 2>&1) || [ -n "$warnings" ]; then
        printf '%s\n' "$warnings" >&2
        exit 1
    fi
    step "the book's links"
    if need_hyperlink; then
        check_links
    else
        skip "the book's links" "hyperlink could not be installed; that needs a network."
    fi
    step "the book in a browser"
    if need_browser; then
        sh support/browser.sh
    else
        skip "the book in a browser" "Chromium or its driver is missing. To get them: apt-get install chromium chromium-driver"
    fi
else
    skip "the book" "mdBook could not be installed; that needs a network."
fi
