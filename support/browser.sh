#!/bin/sh
# The built book in a real browser: every page, and every replay on it, and the pages of a learner's own runs.
# `make test` calls this after it has built the book. Pictures of what was seen are in target/browser/pictures
# afterwards.
set -eu
cd "$(dirname "$0")/.."
. support/tools.sh

if ! need_browser; then
    echo "Skipped: Chromium or its driver is missing. To get them: apt-get install chromium chromium-driver"
    exit
fi
[ -f book/book/index.html ] || {
    echo "There is no built book. To get it: make book" >&2
    exit 1
}
# One run that hangs there waits for a wake that nobody owes it, and one goes round and round.
cargo x pages 07.1 07.4

# One browser for each core: more would only wait for each other. What a test has counted, it prints.
cd support/browser
cargo test --locked --quiet --test book --test pages --test broken -- --nocapture
