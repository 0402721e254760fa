#!/bin/sh
# `make sanitize`: the code that is unsafe, and the code in which threads meet, under AddressSanitizer and
# ThreadSanitizer. `make sanitize WHICH=address` runs one of them, WHICH="thread mini-runtime" one crate.
#
# AddressSanitizer sees what our own code does to memory that was freed, and what is never freed.
# ThreadSanitizer sees two threads at the same memory, with nothing between them that orders them.
# What the kernel reads and writes for io_uring is seen by neither: the tests look after that, with buffers
# that tell when they are freed. And ThreadSanitizer knows no fences: std's Arc does without when it is built
# for it, as it is here, and we have none of our own.
set -eu
cd "$(dirname "$0")/.."

skip() {
    echo "Skipped: $1 To get it:"
    echo "    rustup toolchain install nightly --component rust-src"
    exit
}

sanitizers=
crates=
for word in "$@"; do
    case $word in
    address | thread) sanitizers="$sanitizers $word" ;;
    ch11-threads | ch13-completion | mini-runtime) crates="$crates $word" ;;
    *)
        echo "There is no $word here: address, thread, ch11-threads, ch13-completion and mini-runtime." >&2
        exit 2
        ;;
    esac
done

# A toolchain is big: one that is missing is named, and not installed by the way.
version=$(RUSTUP_AUTO_INSTALL=0 rustc +nightly -vV 2>/dev/null) || skip "a nightly toolchain is missing."
sysroot=$(rustc +nightly --print sysroot)
[ -d "$sysroot/lib/rustlib/src/rust/library" ] || skip "the source of the standard library is missing."
host=$(printf '%s\n' "$version" | sed -n 's/^host: //p')
case $host in
x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
*)
    echo "Skipped: there are no sanitizers for $host."
    exit
    ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

# without CRATE-FOLDER NAME...: the crate's own tests but these, as cargo's arguments.
without() {
    folder=$1
    shift
    printf '%s' --lib
    for file in "$folder"/tests/*.rs; do
        name=$(basename "$file" .rs)
        case " $* " in
        *" $name "*) ;;
        *) printf ' --test %s' "$name" ;;
        esac
    done
}

# under SANITIZER CRATE TESTS [OPTION...]: std is built anew, or its locks would be unknown to the sanitizer,
# and each use of them a race. In a folder of its own: what is built like this cannot be used by anything
# else. All is slower, so the watchdog waits longer. Runs one test program after the other, all of them.
under() {
    sanitizer=$1
    crate=$2
    tests=$3
    shift 3
    printf '\n==> %s: %s\n' "$sanitizer" "$crate"
    status=0
    # shellcheck disable=SC2086
    RUSTFLAGS="-Zsanitizer=$sanitizer" TEST_DEADLINE_MS=900000 cargo +nightly test --no-fail-fast \
        -Zbuild-std --target "$host" --target-dir "target/sanitize-$sanitizer" -p "$crate" $tests \
        -- "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$log" >&2
        exit "$status"
    fi
    sort "$log" | sed -n '/^SKIPPED: /p'
    counts=$(sed -n 's/^test result: ok\. \([0-9]*\) passed; 0 failed; \([0-9]*\) ignored;.*/\1 \2/p' "$log" |
        awk '{ passed += $1; ignored += $2 } END { print passed + 0, ignored + 0 }')
    printf '%s tests have passed, %s are not for now.\n' "${counts% *}" "${counts#* }"
    ran=$((ran + ${counts% *}))
}

# Left out: demos and other programs, which are processes of their own; models, which have loom's own
# threads; and what takes away the room for threads or memory, of which a sanitizer needs plenty.
run() {
    case $1-$2 in
    *-ch11-threads)
        under "$@" "$(without chapters/11-threads demos model out_of_threads on_a_parker)"
        ;;
    address-ch13-completion)
        # Two files and two more tests leave things behind by intent, which would be called leaks.
        under "$@" "$(without chapters/13-completion demos exec probe programs abandon submit)" \
            --skip a_forgotten_operation --skip does_not_free_the_buffers_of_others
        ;;
    thread-ch13-completion)
        under "$@" "$(without chapters/13-completion demos exec probe programs)"
        ;;
    *-mini-runtime)
        under "$@" "$(without mini-runtime examples model)"
        ;;
    esac
}

for sanitizer in ${sanitizers:-address thread}; do
    ran=0
    for crate in ${crates:-ch11-threads ch13-completion mini-runtime}; do
        run "$sanitizer" "$crate"
    done
    printf '\n%s: %s tests have passed.\n' "$sanitizer" "$ran"
done
