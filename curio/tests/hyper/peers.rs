//! With curl, wrk, h2load and CPython.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use curio::run_in_thread;
use http_body_util::BodyExt;

use crate::{cleanly, client, fetch, post, site};

/// Whether a program is there; says so if it is not.
fn missing(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
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

async fn run(program: &'static str, args: Vec<String>) -> curio::Result<String> {
    let output = run_in_thread(move || Command::new(program).args(args).output()).await??;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn curl(args: &[&str]) -> Vec<String> {
    let always = ["--silent", "--show-error", "--fail", "--noproxy", "*"];
    always.iter().chain(args).map(|arg| (*arg).to_string()).collect()
}

#[test]
fn curl_is_served() {
    if missing("curl") {
        return;
    }
    cleanly(async || {
        let (site, addr, server) = site()?;
        let url = |path: &str| format!("http://{addr}{path}");
        // Two requests on one connection.
        assert_eq!(run("curl", curl(&[&url("/"), &url("/")])).await?, "hellohello");
        assert_eq!(site.connections.get(), 1);
        let said = run("curl", curl(&["--data", "question", &url("/echo")])).await?;
        assert_eq!(said, "question");
        // `Expect: 100-continue`, and a body in pieces.
        let expecting = [
            "-H",
            "Expect: 100-continue",
            "-H",
            "Transfer-Encoding: chunked",
            "--data",
            "again",
        ];
        let said = run("curl", curl(&[&expecting[..], &[&url("/echo")]].concat())).await?;
        assert_eq!(said, "again");
        assert_eq!(run("curl", curl(&[&url("/big")])).await?.len(), 5_000_000);
        assert_eq!(run("curl", curl(&["--http1.0", &url("/")])).await?, "hello");
        server.cancel().await
    });
}

#[test]
fn wrk_finds_no_errors() {
    if missing("wrk") {
        return;
    }
    cleanly(async || {
        let (site, addr, server) = site()?;
        // On a busy machine, a second may not be enough.
        for length in ["-d1s", "-d4s", "-d16s", "-d64s"] {
            let before = (site.requests.get(), site.connections.get());
            let args = ["-t1", "-c64", length, "--timeout", "100s"].map(String::from);
            let said = run("wrk", [&args[..], &[format!("http://{addr}/")]].concat()).await?;
            assert!(!said.contains("Socket errors"), "{said}");
            assert!(!said.contains("Non-2xx"), "{said}");
            assert!(site.connections.get() - before.1 < 70, "{said}");
            if site.requests.get() - before.0 > 70 {
                // More than one on a connection.
                return server.cancel().await;
            }
        }
        panic!("it is too slow");
    });
}

#[test]
fn h2load_finds_no_errors() {
    if missing("h2load") {
        return;
    }
    cleanly(async || {
        let (site, addr, server) = site()?;
        let args = ["--h1", "-n2000", "-c20"].map(String::from).to_vec();
        let said = run("h2load", [args, vec![format!("http://{addr}/")]].concat()).await?;
        assert!(
            said.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"),
            "{said}"
        );
        assert_eq!((site.requests.get(), site.connections.get()), (2000, 20));
        server.cancel().await
    });
}

#[test]
fn cpython_is_fetched_from() {
    if missing("python3") {
        return;
    }
    cleanly(async || {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates");
        let (running, addr) = run_in_thread(move || {
            let child = Command::new("python3")
                .args([
                    "-u",
                    "-m",
                    "http.server",
                    "--bind",
                    "127.0.0.1",
                    "--directory",
                    folder,
                    "0",
                ])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn();
            let mut running = Running(child.unwrap());
            // "Serving HTTP on 127.0.0.1 port 43210 (http://127.0.0.1:43210/) ..."
            let mut line = String::new();
            BufReader::new(running.0.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            let addr = line
                .split(['/', '(', ')'])
                .find(|part| part.starts_with("127.0.0.1:"));
            (running, addr.unwrap().parse().unwrap())
        })
        .await?;
        let (mut sender, connection) = client(addr).await?;
        let request = hyper::Request::get("/ca.pem").header("Host", "localhost");
        let answer = sender
            .send_request(request.body(Default::default()).unwrap())
            .await?;
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await?.to_bytes();
        assert_eq!(body, include_str!("../certificates/ca.pem"));
        // It speaks HTTP/1.0, so that was all.
        connection.join().await?;
        let (mut sender, _connection) = client(addr).await?;
        let answer = sender.send_request(post("/ca.pem", "")).await?;
        assert_eq!(answer.status(), 501);
        drop(run_in_thread(move || drop(running)).await);
        Ok(())
    });
}

#[cfg(feature = "tls")]
#[test]
fn curl_is_served_in_secret() {
    use curio::hyper::Io;
    use curio::net::TcpListener;
    use curio::tls::{self, TlsStream};
    use std::time::Duration;

    if missing("curl") {
        return;
    }
    cleanly(async || {
        let config = tls::server_config(
            include_str!("../certificates/server.pem"),
            include_str!("../certificates/server.key"),
        )?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let site = std::rc::Rc::new(crate::Site::default());
        let handler = {
            let site = site.clone();
            async move |stream: TlsStream, _| crate::serve(site.clone(), stream, Duration::from_secs(1)).await
        };
        let server = curio::spawn(tls::run_server(listener, config, handler));
        let url = |path: &str| format!("https://localhost:{}{path}", addr.port());
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/ca.pem");
        let secretly = |args: &[&str]| curl(&[&["--cacert", authority], args].concat());
        assert_eq!(
            run("curl", secretly(&[&url("/"), &url("/")])).await?,
            "hellohello"
        );
        assert_eq!(site.connections.get(), 1);
        assert_eq!(run("curl", secretly(&[&url("/big")])).await?.len(), 5_000_000);
        let said = run(
            "curl",
            secretly(&["-H", "Connection: close", "--data", "question", &url("/echo")]),
        )
        .await?;
        assert_eq!(said, "question");
        // And by ourselves.
        let authority = tls::client_config(include_str!("../certificates/ca.pem"))?;
        let stream = Io::new(
            curio::open_connection(("localhost", addr.port()))
                .tls(authority)
                .await?,
        );
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        let connection = curio::spawn(async { connection.await.map_err(curio::Error::from) });
        assert_eq!(fetch(&mut sender, post("/echo", "quietly")).await?, "quietly");
        assert_eq!(fetch(&mut sender, post("/big", "")).await?.len(), 5_000_000);
        drop(sender);
        connection.join().await?;
        server.cancel().await
    });
}
