#!/bin/sh
# `make book`: the book as files.
set -eu
cd "$(dirname "$0")/.."
. support/tools.sh

need_mdbook
build_book
echo "The book is in book/book/index.html."
