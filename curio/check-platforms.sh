#!/usr/bin/env bash
# Tries the crate on other systems, as far as that can be done on Linux. See --help.
set -uo pipefail
cd "$(dirname "$0")/.."

HELP='Tries the crate `curio` on other systems, as far as that can be done on Linux.

Usage: curio/check-platforms.sh [WHAT]...

WHAT is any of these; all of them, if none is given:
  windows  type-checks library, tests and the portable examples for Windows
  macos    type-checks the library for macOS
  freebsd  type-checks the library for FreeBSD
  wine     builds the portable tests for Windows, and runs them under wine
  poll     runs the tests on poll(2) instead of epoll(7), and a pipe as waker

A check whose tools are missing is skipped, and says which they are. Needed are:
  windows  rustup target add x86_64-pc-windows-gnu; for the feature `tls`
           also gcc-mingw-w64-x86-64-posix
  macos    rustup target add aarch64-apple-darwin
  freebsd  rustup target add x86_64-unknown-freebsd
  wine     the target of windows; on Debian also:
           apt-get install gcc-mingw-w64-x86-64-posix wine64 wine
  poll     nothing

Everything is built in a folder of its own, target/platforms, or what
CURIO_PLATFORMS_TARGET says. The first time takes about ten minutes, and
3 GB; after that, a minute or two, but a quarter of an hour for wine.

The exit status is 1 if a check fails, 2 if WHAT is not understood, and
otherwise 0, however many were skipped.'

# What there is on every system; a new feature belongs here, unless it is for Unix only.
PORTABLE=(futures-io stream channel hyper tracing)
# What there is on Unix, and goes unnoticed elsewhere. `probe` is for Linux, and must go unnoticed on all others.
UNIX=("${PORTABLE[@]}" monitor probe process socket)
# On Windows `tls` is looked at, too, if there is a compiler for the C code that comes with it.
tls_if() { command -v "$1" > /dev/null && echo ,tls; }

# The examples that need Unix: child processes, signals that are sent, Unix sockets, standard input as a stream.
UNIX_EXAMPLES=(child_output child_pipeline fib_processes kid_processes tls_client udp_client unix_client unix_echo)

# The tests that run under wine, besides those in the library: those that were seen to pass there. Another one can be tried by
# WINE_TESTS="net sync" curio/check-platforms.sh wine
# What was seen of those: `net` hangs in two tests; of `sockets` three fail, which expect what only Unix does; `sync` takes too long,
# because to make a kernel does.
read -ra WINE_TESTS <<< "${WINE_TESTS:-activation channel conformance debug file futures group group_model kernel misuse model \
    queue queue_model regressions semantics task_ref thread universal workers}"
# For the same reason programs run under fewer schedules there: as many as `futures` needs to try everything.
WINE_SEEDS=${CURIO_SEEDS:-400}

# The tests that run on poll(2), besides those in the library; `*` is all.
# POLL_TESTS="sockets net" curio/check-platforms.sh poll
read -ra POLL_TESTS <<< "${POLL_TESTS:-*}"

features() { local IFS=,; echo "$*"; }

export CARGO_TARGET_DIR="${CURIO_PLATFORMS_TARGET:-${CARGO_TARGET_DIR:-target}/platforms}"
failed=()
ran=()
skipped=()

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

# run NAME COMMAND...: a check that fails does not keep the others from running.
run() {
    local name=$1
    shift
    if step "$@"; then ran+=("$name"); else failed+=("$name"); fi
}

skip() {
    printf '\n== skipped: %s, as there is no %s\n' "$1" "$2"
    skipped+=("$1")
}

has_target() { rustc --print target-libdir --target "$1" 2> /dev/null | xargs -r test -d; }

check() {
    local name=$1 target=$2
    shift 2
    if ! has_target "$target"; then
        skip "$name" "standard library (rustup target add $target)"
        return
    fi
    run "$name" cargo check -p curio --target "$target" "$@"
}

windows() {
    local target=x86_64-pc-windows-gnu tls example examples=()
    tls=$(tls_if x86_64-w64-mingw32-gcc)
    # With the features of Unix: a program that names them must still be built on Windows.
    check windows "$target" --lib --tests --no-default-features --features "$(features "${UNIX[@]}")$tls"
    check windows-default "$target"
    has_target "$target" || return
    for example in examples/*.rs; do
        example=$(basename "$example" .rs)
        case " ${UNIX_EXAMPLES[*]} kid_tokio " in *" $example "*) continue ;; esac
        [[ -z $tls && $example == tls_* ]] || examples+=(--example "$example")
    done
    run windows-examples cargo check -p examples --target "$target" --features "channel,hyper$tls" "${examples[@]}"
}

# All features. The C and assembler code that comes with `tls` is not looked at: a compiler that does nothing stands in for one
# that few have, and nothing is linked.
unix() { CC=true AR=true SDKROOT=/ check "$1" "$2" --all-features; }

macos() { unix macos aarch64-apple-darwin; }

freebsd() { unix freebsd x86_64-unknown-freebsd; }

wine_() {
    local target=x86_64-pc-windows-gnu gcc=x86_64-w64-mingw32-gcc wine runner stub tests=()
    has_target "$target" || { skip wine "standard library (rustup target add $target)"; return; }
    command -v "$gcc" > /dev/null || { skip wine "$gcc (apt-get install gcc-mingw-w64-x86-64-posix)"; return; }
    wine=$(command -v wine64 || command -v wine || ls /usr/lib/wine/wine64 2> /dev/null) \
        || { skip wine 'wine (apt-get install wine64 wine)'; return; }

    # wine 8 has no bcryptprimitives.dll, from which Rust programs get random numbers. This is all of it that they use.
    stub=$(mkdir -p "$CARGO_TARGET_DIR/wine" && cd "$CARGO_TARGET_DIR/wine" && pwd)
    cat > "$stub/random.c" << 'EOF'
__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *, unsigned long);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *data, unsigned long long size)
{
    return SystemFunction036(data, (unsigned long)size);
}
EOF
    "$gcc" -shared -o "$stub/bcryptprimitives.dll" "$stub/random.c" -ladvapi32 || { failed+=(wine); return; }
    # A prefix of its own: nothing of the user's is touched.
    runner="env WINEPREFIX=$stub/prefix WINEPATH=$stub WINEDEBUG=-all DISPLAY= $wine"
    for test in "${WINE_TESTS[@]}"; do tests+=(--test "$test"); done
    run wine env "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$runner" \
        CURIO_SEEDS="$WINE_SEEDS" cargo test -p curio --target "$target" --no-fail-fast --lib "${tests[@]}" \
        --no-default-features --features "$(features "${PORTABLE[@]}")"
}

poll() {
    local test tests=()
    for test in "${POLL_TESTS[@]}"; do tests+=(--test "$test"); done
    run poll env "CARGO_TARGET_DIR=$CARGO_TARGET_DIR/poll" \
        RUSTFLAGS="--cfg mio_unsupported_force_poll_poll --cfg mio_unsupported_force_waker_pipe" \
        cargo test -p curio --no-fail-fast --lib "${tests[@]}" --features "$(features "${UNIX[@]}"),tls" -- --skip compile
}

if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    printf '%s\n' "$HELP"
    exit 0
fi
for what in "$@"; do
    case $what in
        windows | macos | freebsd | wine | poll) ;;
        *)
            echo "check-platforms.sh: does not understand '$what'; try --help" >&2
            exit 2
            ;;
    esac
done
for what in "${@:-windows macos freebsd wine poll}"; do
    for one in $what; do
        case $one in
            wine) wine_ ;;
            *) "$one" ;;
        esac
    done
done

printf '\n== passed: %s\n' "${ran[*]:-none}"
[[ ${#skipped[@]} -eq 0 ]] || printf '== skipped: %s\n' "${skipped[*]}"
[[ ${#failed[@]} -eq 0 ]] || { printf '== FAILED: %s\n' "${failed[*]}"; exit 1; }
