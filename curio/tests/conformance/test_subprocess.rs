//! `tests/test_subprocess.py`, and `test_subprocess_popen` of `tests/test_thread.py`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_universal` | `universal_newlines` decodes Python's strings; there is no such option to refuse |
//!
//! | differs | how |
//! |---|---|
//! | `child.py`, which counts four seconds down | the same in the shell, quicker |
//! | `TimeoutExpired`, `timeout=` (until 12/2016) | `.timeout(..)`, whose error has the output |
//! | `test_no_input_cancel` | the process that does not read is `sleep` |
//!
//! `curio/test/subprocess.py` of 2015 is an older state of the same: the first six, with `timeout=`.
//!
//! Processes are of the real world, so these run on the real clock.

use std::time::Duration;

use curio::subprocess::{CalledProcessError, Command, Stdio, check_output};
use curio::{Error, Result, WithTimeout, sleep, spawn, subprocess, thread};

use crate::common::really;
use crate::is_cancelled;

const LINES: &[u8] = b"t-minus 4\nt-minus 3\nt-minus 2\nt-minus 1\n";

/// `child.py`, with so many seconds between its lines.
fn child(seconds: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("for i in 4 3 2 1; do echo t-minus $i; sleep {seconds}; done");
    command.args(["-c", &script]);
    command
}

/// A program that fails.
fn bad() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "echo no such module >&2; exit 1"]);
    command
}

#[track_caller]
fn is_called_process_error<T: std::fmt::Debug>(result: Result<T>) -> String {
    let Err(Error::Other(error)) = result else {
        panic!("{result:?}")
    };
    let error = error.get_ref().downcast_ref::<CalledProcessError>().unwrap();
    assert_eq!(error.status().code(), Some(1));
    let both = [error.stdout(), error.stderr()].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn test_simple() {
    really(async |_| {
        let out = subprocess::run(child("0.01").stdout(Stdio::piped())).await?;
        assert_eq!(out.stdout, LINES);
        assert_eq!(out.status.code(), Some(0));
        Ok(())
    });
}

#[test]
fn test_simple_check_output() {
    really(async |_| {
        assert_eq!(check_output(child("0.01")).await?, LINES);
        Ok(())
    });
}

#[test]
fn test_bad_cmd() {
    really(async |_| {
        let out = subprocess::run(bad().stdout(Stdio::piped()).stderr(Stdio::piped()))
            .check()
            .await;
        assert_eq!(is_called_process_error(out), "no such module\n");
        Ok(())
    });
}

#[test]
fn test_bad_cmd_check_output() {
    really(async |_| {
        let out = check_output(bad().stderr(Stdio::stdout())).await;
        assert_eq!(is_called_process_error(out), "no such module\n");
        Ok(())
    });
}

#[test]
fn test_timeout() {
    really(async |_| {
        let mut command = child("1000");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let out = subprocess::run(command).timeout(Duration::from_millis(500)).await;
        let Err(Error::Timeout(e)) = out else {
            panic!("{out:?}")
        };
        assert_eq!((e.stdout(), e.stderr()), (&b"t-minus 4\n"[..], &b""[..]));
        Ok(())
    });
}

#[test]
fn test_stdin_pipe() {
    really(async |_| {
        let mut p1 = child("0.01").stdout(Stdio::piped()).spawn()?;
        let mut p2 = Command::new("wc");
        let p2 = p2
            .arg("-l")
            .stdin(p1.stdout.take().unwrap())
            .stdout(Stdio::piped());
        let (out, _) = p2.spawn()?.communicate(b"").await?;
        assert_eq!(out.trim_ascii(), b"4");
        p1.wait().await.map(drop)
    });
}

#[test]
fn test_check_output_stdin() {
    really(async |_| {
        let out = check_output(Command::new("wc").arg("-l"))
            .input("Line1\nLine2\nLine3\n")
            .await?;
        assert_eq!(out.trim_ascii(), b"3");
        Ok(())
    });
}

#[test]
fn test_no_input_cancel() {
    really(async |w| {
        let mut command = Command::new("sleep");
        command.arg("1000");
        let task = spawn(check_output(command).input(vec![b'x'; 10_000_000]));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_popen_join() {
    really(async |_| {
        let p = child("0.01").stdout(Stdio::null()).spawn()?;
        assert_eq!(p.wait().await?.code(), Some(0));
        Ok(())
    });
}

#[test]
fn test_io_error() {
    really(async |_| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec <&-; sleep 0.05"]).stdin(Stdio::piped());
        let mut p = command.spawn()?;
        let error = p.communicate(&[b'x'; 10_000_000]).await.unwrap_err();
        let broken = matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::BrokenPipe);
        assert!(broken, "{error:?}");
        p.wait().await.map(drop)
    });
}

/// It asks from a thread for what belongs to the kernel's.
#[test]
fn test_subprocess_popen() {
    really(async |_| {
        let thread = thread::spawn(|| {
            thread::await_(|| async {
                let mut p = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
                let (out, _) = p.communicate(b"").await?;
                assert!(p.wait().await?.success());
                Ok(out)
            })
        });
        assert_eq!(thread.join().await?, b"hello\n");
        Ok(())
    });
}
