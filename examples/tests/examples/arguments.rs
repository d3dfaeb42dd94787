//! The command lines of the examples.

use crate::child::{Running, example, is_enabled};

/// Those that look at their arguments. `hello` and `readme` are as short as a program can be, and ignore them.
fn programs() -> impl Iterator<Item = &'static str> {
    [
        "kid",
        "kid_threads",
        "kid_tokio",
        "kid_friends",
        "kid_nagging",
        "kid_hang",
        "kid_fib",
        "fib_service",
        "fib_processes",
        "kid_processes",
        "kid_signals",
        "kid_blocking",
        "prodcons",
        "pubsub",
        "echo",
        "echo_server",
        "managed_echo",
        "stream_echo",
        "socketserver_echo",
        "socketserver_udp",
        "reuseport",
        "udp_echo",
        "udp_client",
        "unix_echo",
        "unix_client",
        "chat",
        "happy_eyeballs",
        "child_output",
        "child_pipeline",
        "tls_echo",
        "tls_client",
        "http_service",
        "channel_producer",
        "channel_consumer",
        "from_python",
    ]
    .into_iter()
    .filter(|name| is_enabled(name))
}

#[test]
fn help_says_how_to_start_the_program() {
    for name in programs() {
        for argument in ["--help", "-h"] {
            let finished = Running::start(example(name).arg(argument)).finish();
            assert!(finished.status.success(), "{name} {argument}");
            assert_eq!(finished.stderr, "", "{name} {argument}");
            let usage = format!("\nUsage: cargo run --example {name}");
            assert!(finished.stdout.contains(&usage), "{name}: {}", finished.stdout);
        }
    }
}

#[test]
fn other_arguments_get_one_clear_line() {
    for name in programs() {
        for arguments in [&["--loud"][..], &["127.0.0.1:0", "twice"], &["two\nlines", ""]] {
            let finished = Running::start(example(name).args(arguments)).finish();
            assert_eq!(finished.status.code(), Some(2), "{name} {arguments:?}");
            assert_eq!(finished.stdout, "", "{name} {arguments:?}");
            let given = arguments.join(" ");
            let expected = format!("{name}: does not understand {given:?}; try --help\n");
            assert_eq!(finished.stderr, expected);
        }
    }
}

/// As behind `| head -1`. (But `hello` and `readme` panic at that: they show how short a program can be.)
#[test]
fn a_program_ends_quietly_when_nobody_reads() {
    let quick: [(&str, &[&str]); 6] = [
        ("kid", &["--virtual"]),
        ("kid_friends", &["--virtual"]),
        ("prodcons", &[]),
        ("pubsub", &[]),
        ("child_output", &[]),
        ("from_python", &[]),
    ];
    let helps = programs().map(|name| (name, &["--help"][..]));
    for (name, arguments) in helps.chain(quick) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = example(name).args(arguments).stdout(writer).output();
        let output = output.expect("it starts");
        assert!(!output.status.success(), "{name} {arguments:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "{name} {arguments:?}");
    }
}
