//! With OpenSSL and curl.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use curio::net::TcpListener;
use curio::tls::{self, TlsStream};
use curio::{Error, open_connection, run_in_thread, spawn};

use crate::{cleanly, client, noise, server};

fn certificates() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/certificates")
}

/// Whether a program is there; says so if it is not.
fn missing(program: &str) -> bool {
    let version = if program == "openssl" {
        "version"
    } else {
        "--version"
    };
    let there = Command::new(program).arg(version).output().is_ok();
    if !there {
        eprintln!("skipped, as there is no {program}");
    }
    !there
}

/// A program that is killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(args: &[&str]) -> Running {
    let child = Command::new("openssl")
        .args(args)
        .current_dir(certificates())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn openssl_is_a_client() {
    if missing("openssl") {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        cleanly(async || {
            let mut config = server();
            config.alpn_protocols = vec![b"h2".to_vec(), b"echo".to_vec()];
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?.to_string();
            let serving = spawn(tls::run_server(listener, config, async |client: TlsStream, _| {
                assert_eq!(client.alpn_protocol().as_deref(), Some(&b"echo"[..]));
                let mut s = client.into_stream();
                let mut line = Vec::new();
                while s.read_until(b'\n', &mut line).await? > 0 {
                    s.write_all(&line).await?;
                    line.clear();
                }
                s.shutdown().await
            }));
            let (output, status) = run_in_thread(move || {
                let mut running = openssl(&[
                    "s_client",
                    "-connect",
                    &addr,
                    "-CAfile",
                    "ca.pem",
                    "-verify_return_error",
                    "-verify_hostname",
                    "localhost",
                    "-alpn",
                    "echo",
                    version,
                    "-crlf",
                ]);
                let mut input = running.0.stdin.take().unwrap();
                let mut output = BufReader::new(running.0.stdout.take().unwrap());
                let mut errors = BufReader::new(running.0.stderr.take().unwrap());
                input.write_all(b"hello\n").unwrap();
                // K: new keys for its side, and a demand for new ones for ours. (Only in 1.3.)
                let mut said = String::new();
                while !said.contains("hello\r\n") {
                    assert!(output.read_line(&mut said).unwrap() > 0, "{said}");
                }
                if version == "-tls1_3" {
                    input.write_all(b"K\n").unwrap();
                    let mut line = String::new();
                    while line != "KEYUPDATE\n" {
                        line.clear();
                        assert!(errors.read_line(&mut line).unwrap() > 0);
                    }
                    input.write_all(b"with new keys\n").unwrap();
                    while !said.contains("with new keys\r\n") {
                        assert!(output.read_line(&mut said).unwrap() > 0, "{said}");
                    }
                }
                // Q: goodbye.
                input.write_all(b"Q\n").unwrap();
                let _ = output.read_to_string(&mut said);
                (said, running.0.wait().unwrap())
            })
            .await?;
            assert!(status.success(), "{output}");
            assert!(output.contains("ALPN protocol: echo"), "{output}");
            assert!(output.contains("Verify return code: 0 (ok)"), "{output}");
            serving.cancel().await
        });
    }
}

#[test]
fn openssl_is_a_server() {
    if missing("openssl") {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        cleanly(async || {
            // It says which port it has got.
            let (running, mut output, port) = run_in_thread(move || {
                let mut running = openssl(&[
                    "s_server",
                    "-accept",
                    "127.0.0.1:0",
                    "-cert",
                    "server.pem",
                    "-key",
                    "server.key",
                    "-alpn",
                    "echo",
                    "-rev",
                    version,
                ]);
                let mut output = BufReader::new(running.0.stdout.take().unwrap());
                let mut line = String::new();
                while !line.starts_with("ACCEPT") {
                    line.clear();
                    assert!(output.read_line(&mut line).unwrap() > 0);
                }
                let port: u16 = line.trim_end().rsplit_once(':').unwrap().1.parse().unwrap();
                (running, output, port)
            })
            .await?;
            let s = open_connection(("localhost", port))
                .tls(client())
                .alpn_protocols(["h2", "echo"])
                .await?;
            assert_eq!(s.alpn_protocol().as_deref(), Some(&b"echo"[..]));
            // It turns lines round.
            let mut s = s.into_stream();
            for line in ["live", "desserts"] {
                s.write_lines([line, "\n"]).await?;
                let mut answer = String::new();
                s.read_line(&mut answer).await?;
                let turned: String = line.chars().rev().collect();
                assert_eq!(answer.trim_end(), turned);
            }
            s.shutdown().await?;
            // It does not say goodbye, or does, by version: it is an end, or an error that says so.
            match s.read_to_end(&mut Vec::new()).await {
                Ok(_) => {}
                Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof),
                Err(error) => return Err(error),
            }
            drop(running);
            run_in_thread(move || output.read_to_string(&mut String::new()).map(drop)).await??;
            Ok(())
        });
    }
}

#[test]
fn openssl_tells_a_broken_connection_from_an_end() {
    if missing("openssl") {
        return;
    }
    for goodbye in [true, false] {
        cleanly(async || {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?.to_string();
            let serving = spawn(tls::run_server(
                listener,
                server(),
                async move |client: TlsStream, _| {
                    client.write_all(b"hello\n").await?;
                    if goodbye {
                        client.shutdown().await?;
                    }
                    Ok(())
                },
            ));
            let said = run_in_thread(move || {
                let mut running = openssl(&["s_client", "-connect", &addr, "-CAfile", "ca.pem"]);
                let _input = running.0.stdin.take();
                let mut said = String::new();
                running
                    .0
                    .stdout
                    .take()
                    .unwrap()
                    .read_to_string(&mut said)
                    .unwrap();
                running
                    .0
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut said)
                    .unwrap();
                said
            })
            .await?;
            assert!(said.contains("hello\n"), "{said}");
            assert_eq!(said.contains("unexpected eof"), !goodbye, "{said}");
            serving.cancel().await
        });
    }
}

#[test]
fn curl_is_a_client() {
    if missing("curl") {
        return;
    }
    cleanly(async || {
        let body = noise(1_000_000);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let serving = spawn(tls::run_server(listener, server(), {
            let body = body.clone();
            async move |client: TlsStream, _| {
                let mut s = client.into_stream();
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    s.read_line(&mut line).await?;
                }
                // As long as the connection lasts: so its end had better be one.
                s.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                    .await?;
                s.write_all(&body).await?;
                s.shutdown().await
            }
        }));
        let fetch = |args: &'static [&'static str]| {
            run_in_thread(move || {
                let url = format!("https://localhost:{port}/");
                Command::new("curl")
                    .args(["--silent", "--show-error", "--noproxy", "*"])
                    .args(args)
                    .arg(url)
                    .current_dir(certificates())
                    .output()
            })
        };
        let fetched = fetch(&["--cacert", "ca.pem"]).await??;
        assert!(
            fetched.status.success(),
            "{}",
            String::from_utf8_lossy(&fetched.stderr)
        );
        assert!(fetched.stdout == body);
        // It does not trust us without being told to.
        let refused = fetch(&[]).await??;
        assert_eq!(
            refused.status.code(),
            Some(60),
            "{}",
            String::from_utf8_lossy(&refused.stderr)
        );
        serving.cancel().await
    });
}
