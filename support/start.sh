#!/bin/sh
# `make start`: says whether this machine has what is needed, builds the book, and serves it.
set -eu
cd "$(dirname "$0")/.."
. support/tools.sh

ok() {
    printf '  %-44s ok\n' "$1"
}

stop() {
    printf '\n' >&2
    printf '%s\n' "$@" >&2
    exit 1
}

check_system() {
    case $(uname -s) in
    Linux) ;;
    Darwin)
        stop "mini-runtime needs Linux: it is built on epoll, which macOS does not have." \
            "On a Mac, use a Linux virtual machine or a container with Rust in it (Lima, Multipass," \
            "OrbStack, Docker …), clone the project there, and call make start again."
        ;;
    MINGW* | MSYS* | CYGWIN* | Windows*)
        stop "mini-runtime needs Linux: it is built on epoll, which Windows does not have." \
            "On Windows, use WSL 2: call wsl --install in PowerShell, install Rust in the Linux that" \
            "you get, clone the project there, and call make start again."
        ;;
    *)
        stop "mini-runtime needs Linux: it is built on epoll. This is $(uname -s)." \
            "Use a Linux virtual machine, and call make start there."
        ;;
    esac
    case $(uname -r) in
    *-Microsoft)
        stop "This is WSL 1, which only imitates a Linux kernel. WSL 2 has a real one:" \
            "call wsl --set-version YOUR-DISTRIBUTION 2 in PowerShell, and make start again."
        ;;
    esac
    ok "Linux $(uname -r)"
}

check_cargo() {
    command -v cargo >/dev/null || {
        if [ -x "${HOME:-}/.cargo/bin/cargo" ]; then
            stop "Cargo is installed, but this shell does not know it yet. Call this, and make start again:" \
                "    . \"\$HOME/.cargo/env\""
        fi
        stop "Cargo is missing. Install Rust as https://rustup.rs says, open a new shell, and call" \
            "make start again."
    }
    have=$(cargo --version) || stop "Cargo does not run. With rustup, this gets a working one:" \
        "    rustup default stable"
    have=$(expr "$have" : 'cargo \([0-9.]*\)')
    need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    oldest=$(printf '%s\n' "$need" "$have" | sort -V | head -n 1)
    if [ "$oldest" != "$need" ]; then
        stop "Cargo $have is too old: mini-runtime needs $need or later. With rustup:" \
            "    rustup update stable"
    fi
    ok "cargo $have (at least $need)"
}

check_linker() {
    program='int main(void) { return 0; }'
    printf '%s\n' "$program" | cc -x c -o /dev/null - 2>/dev/null || stop \
        "The C linker is missing or incomplete: cc cannot build an empty program. Rust links with it." \
        "    Debian, Ubuntu:  sudo apt install build-essential" \
        "    Fedora:          sudo dnf install gcc" \
        "    Arch:            sudo pacman -S base-devel" \
        "    Alpine:          sudo apk add build-base"
    ok "linker cc"
}

check_mdbook() {
    if has_tool mdbook "$mdbook_version"; then
        ok "mdBook $mdbook_version, in .tools"
    else
        printf '  %-44s %s\n' "mdBook $mdbook_version, in .tools" "not yet: it takes about a minute, once"
    fi
}

# Whether nothing listens on the port, on IPv4 and on IPv6.
is_free() {
    ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        grep -q "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$1") [0-9A-F]*:0000 0A "
}

free_port() {
    port=3000
    until is_free "$port"; do
        printf 'Port %s is busy.\n' "$port"
        if [ "$port" -eq 3009 ]; then
            stop "All ports from 3000 to 3009 are busy. Free one, or serve the book on another:" \
                "    cargo run --release -p ch07-tcp --example http -- 127.0.0.1:8080 book/book"
        fi
        port=$((port + 1))
    done
}

# Everything that serving the book takes, with what it prints.
prepare_book() {
    echo "Getting mdBook $mdbook_version, if it is not there"
    need_mdbook || stop "mdBook could not be installed; the lines above say why. Is there a network?"
    echo "Building the book"
    build_book || stop "The book could not be built; the lines above say why."
    echo "Building its server, chapter 7's"
    cargo build --release -p ch07-tcp --example http
}

# serve WORD...: the command that serves the book, after these words.
serve() {
    "$@" cargo run --release -q -p ch07-tcp --example http -- "127.0.0.1:$port" book/book
}

# In the background: prepares the book, serves it, and says so in a line.
serve_book() {
    if ! (prepare_book) >"$log" 2>&1; then
        printf '\nThe book could not be prepared: %s says why.\n' "$log"
        return
    fi
    printf '\nThe book is ready: http://127.0.0.1:%s\n' "$port"
    serve exec >>"$log" 2>&1
}

echo "Checking this machine"
check_system
check_cargo
check_linker
check_mdbook
free_port

# Where cargo puts things, unless it is told otherwise.
mkdir -p target 2>/dev/null || stop "This checkout cannot be written to, and everything is built in it."
log=target/book.log
if [ -n "${CI:-}" ] || ! [ -t 0 ] || ! [ -t 1 ]; then
    prepare_book
    cat <<END

The book is in book/book/index.html. The runtime that it is about serves it with:
    $(serve echo)

END
    cargo x start
    exit
fi

# A job of its own, which can be ended as a whole. It gets what the exercises leave of the machine.
set -m
serve_book &
book=$!
renice -n 10 -g "$book" >/dev/null 2>&1 || true
trap 'kill -- "-$book" 2>/dev/null || true' EXIT
trap 'exit 129' HUP
trap 'exit 143' TERM

if has_tool mdbook "$mdbook_version"; then
    printf '\nThe book: http://127.0.0.1:%s\n\n' "$port"
else
    printf '\nThe book is being built, and will be at http://127.0.0.1:%s in a minute or two.\n\n' "$port"
fi
cargo x start
