//! The echo server over TLS, with its client and with OpenSSL's.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use crate::child::{Running, example};
use crate::servers::connect;

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../curio/tests/certificates");

/// A server with these arguments after its address, that listens.
fn start(arguments: &[&str]) -> (Running, SocketAddr) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        drop(listener);
        let mut running = Running::start(example("tls_echo").arg(addr.to_string()).args(arguments));
        if connect(&mut running, addr).is_some() {
            // That client has left in the handshake, and the server says so.
            assert!(running.error().contains("during the TLS handshake"));
            return (running, addr);
        }
    }
}

#[test]
fn server_and_client_talk() {
    for files in [false, true] {
        let (certificate, key) = (
            format!("{CERTIFICATES}/server.pem"),
            format!("{CERTIFICATES}/server.key"),
        );
        let arguments = ["--certificate", &certificate, "--key", &key];
        let (server, addr) = start(if files { &arguments } else { &[] });
        let mut client = example("tls_client");
        client.arg(format!("localhost:{}", addr.port()));
        if files {
            client.args(["--trust", &format!("{CERTIFICATES}/ca.pem")]);
        }
        let (client, mut input) = Running::start_with_input(&mut client);
        for line in ["one", "two"] {
            writeln!(input, "{line}").unwrap();
            assert_eq!(client.line(), line);
        }
        drop(input);
        let finished = client.finish();
        assert!(finished.status.success(), "{}", finished.stderr);
        assert!(server.line().starts_with("Connection from "));
        assert_eq!(server.line(), "Connection closed");
    }
}

#[test]
fn a_client_trusts_nobody_else() {
    let (_server, addr) = start(&[]);
    let mut client = example("tls_client");
    client
        .arg(addr.to_string())
        .args(["--trust", &format!("{CERTIFICATES}/expired.pem")]);
    let finished = Running::start(&mut client).finish();
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.stderr.contains("invalid peer certificate"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_is_no_certificate_is_said() {
    let key = format!("{CERTIFICATES}/server.key");
    let no_file =
        Running::start(example("tls_echo").args(["--certificate", "/no/file", "--key", &key])).finish();
    assert_eq!(no_file.status.code(), Some(1));
    assert!(
        no_file.stderr.contains("cannot read /no/file"),
        "{}",
        no_file.stderr
    );
    let no_certificate =
        Running::start(example("tls_echo").args(["--certificate", &key, "--key", &key])).finish();
    assert_eq!(no_certificate.status.code(), Some(1));
    assert!(
        no_certificate.stderr.contains("no certificate"),
        "{}",
        no_certificate.stderr
    );
}

#[test]
fn openssl_talks_to_the_server() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: `openssl` is not installed");
        return;
    }
    let (server, addr) = start(&[]);
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
        ])
        .args([
            "-connect",
            &addr.to_string(),
            "-CAfile",
            &format!("{CERTIFICATES}/ca.pem"),
        ])
        .stderr(Stdio::null());
    let (client, mut input) = Running::start_with_input(&mut openssl);
    writeln!(input, "hello").unwrap();
    assert_eq!(client.line(), "hello");
    drop(input);
    drop(client);
    assert!(server.line().starts_with("Connection from "));
}
