//! Child processes. Each test runs in a process of its own, which counts its descriptors, threads and children before and
//! after: whatever a test does to its children, nothing of them is left.

#![allow(missing_docs)]
// To do what other programs do to ours, and other parts of the program.
#![allow(unsafe_code)]
#![cfg(target_os = "linux")]

mod common;

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use common::{Watchdog, lets_others_run, virtually_under};
use curio::signal::{self, SIGCHLD, SIGKILL, SIGTERM, SIGUSR1};
use curio::subprocess::{CalledProcessError, Child, Command, Stdio, check_output};
use curio::{
    Clock, Error, Kernel, Result, SignalQueue, State, TaskGroup, WithTimeout, clock, sleep, spawn,
    subprocess, timeout_after, yield_now,
};
use futures::future::{join, join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

// ---- Alone

/// What a process has.
#[derive(Debug, PartialEq)]
struct Belongings {
    descriptors: usize,
    threads: usize,
    children: Vec<String>,
}

impl Belongings {
    fn now() -> Belongings {
        let count = |what| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
        Belongings {
            descriptors: count("fd"),
            threads: count("task"),
            children: children(),
        }
    }
}

/// Our children, zombies too: their numbers and states.
fn children() -> Vec<String> {
    let us = process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().flatten();
    stats
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| {
            // The name may have anything in it; after it come the state and the parent.
            let (number, rest) = (stat.split(' ').next()?, stat.rsplit_once(") ")?.1);
            let mut rest = rest.split(' ');
            let (state, parent) = (rest.next()?, rest.next()?);
            (parent == us).then(|| format!("{number} {state}"))
        })
        .collect()
}

/// Runs a program on a kernel in a process of its own.
#[track_caller]
fn alone<F: Future<Output = Result<()>>>(name: &str, program: impl FnOnce() -> F) {
    alone_by("exec \"$0\" \"$@\"", name, || curio::run(program()).unwrap());
}

/// Runs a program in a process of its own, started by this script.
#[track_caller]
fn alone_by(script: &str, name: &str, program: impl FnOnce()) {
    const NAME: &str = "CURIO_SUBPROCESS_TEST";
    if env::var(NAME).is_ok_and(|given| given == name) {
        let _guard = Watchdog::start();
        let before = Belongings::now();
        program();
        // A child that was killed, and a thread, end a moment later than one is told.
        let start = Instant::now();
        while Belongings::now() != before {
            let now = Belongings::now();
            assert!(start.elapsed() < 60 * SEC, "before: {before:?}\nnow: {now:?}");
            thread::yield_now();
        }
        process::exit(0);
    }
    // Not a pipe: what a failed test leaves behind would hold it open.
    let path = Path::new(name);
    let printed = fs::File::create(&path.0).unwrap();
    let mut child = process::Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(NAME, name)
        .stdin(process::Stdio::null())
        .stdout(printed.try_clone().unwrap())
        .stderr(printed)
        .process_group(0)
        .spawn()
        .unwrap();
    let status = child.wait().unwrap();
    // SAFETY: it takes no pointers.
    unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
    assert!(
        status.success(),
        "{status}\n{}",
        fs::read_to_string(&path.0).unwrap()
    );
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that says that it is there, and then runs for ever.
async fn endless() -> Result<Child> {
    ready(sh("echo ready; exec sleep 1000").stdout(Stdio::piped()).spawn()?).await
}

/// Waits for the child's first line.
async fn ready(mut child: Child) -> Result<Child> {
    let mut line = String::new();
    child.stdout.as_mut().unwrap().read_line(&mut line).await?;
    assert_eq!(line, "ready\n");
    Ok(child)
}

/// Holds everybody up until a child has made this file. What is due by then, is due after what the child has done before.
async fn until_made(path: &Path) {
    while !fs::exists(&path.0).unwrap() {
        thread::sleep(MS);
    }
    fs::remove_file(&path.0).unwrap();
}

fn is_alive(id: u32) -> bool {
    fs::exists(format!("/proc/{id}")).unwrap()
}

/// Kills a process of which there is only the number.
fn kill(id: u32) {
    // SAFETY: it takes no pointers.
    assert_eq!(unsafe { libc::kill(id as i32, libc::SIGKILL) }, 0);
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap()
}

/// What a program has printed before it was interrupted.
#[track_caller]
fn timed_out<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Timeout(progress)) => String::from_utf8(progress.stdout().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

// ---- Talking

#[test]
fn what_is_said_to_cat_comes_back() {
    alone("what_is_said_to_cat_comes_back", || async {
        let mut cat = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (mut stdin, mut stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        for said in ["one\n", "two\n"] {
            stdin.write_all(said.as_bytes()).await?;
            let mut heard = String::new();
            stdout.read_line(&mut heard).await?;
            assert_eq!(heard, said);
        }
        assert_eq!(cat.try_wait()?, None);
        drop(stdin);
        assert_eq!(stdout.read_to_end(&mut Vec::new()).await?, 0);
        assert_eq!(code(cat.wait().await?), 0);
        assert_eq!(cat.try_wait()?, Some(cat.wait().await?));
        Ok(())
    });
}

#[test]
fn megabytes_in_and_out_and_on_the_other_stream() {
    const MANY: usize = 3_000_000;
    alone("megabytes_in_and_out_and_on_the_other_stream", || async {
        // It reads nothing until it has got rid of its errors.
        let flood = format!("yes e | head -c {MANY} >&2; tee /dev/stderr");
        let mut child = sh(&flood)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let input: Vec<u8> = (0..MANY).map(|n| (n % 251) as u8).collect();
        let (stdout, stderr) = child.communicate(&input).await?;
        assert!(stdout == input);
        assert!(stderr.len() == 2 * MANY && stderr[MANY..] == input);
        assert_eq!(code(child.wait().await?), 0);
        // And so with the others.
        let mut command = sh(&flood);
        let output =
            subprocess::run(command.stdout(Stdio::piped()).stderr(Stdio::piped())).input(input.clone());
        let output = output.await?;
        assert!(output.stdout == input && output.stderr.len() == 2 * MANY);
        let child = sh(&flood)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.wait_with_output().await?;
        assert!(output.stdout.is_empty() && output.stderr.len() == MANY);
        Ok(())
    });
}

#[test]
fn what_was_read_before_is_not_said_again() {
    alone("what_was_read_before_is_not_said_again", || async {
        let mut child = sh("echo one; echo two; cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        child.stdout.as_mut().unwrap().read_line(&mut line).await?;
        assert_eq!(line, "one\n");
        // `two` may be in the stream's buffer.
        let (stdout, stderr) = child.communicate(b"three").await?;
        assert_eq!((&stdout[..], &stderr[..]), (&b"two\nthree"[..], &b""[..]));
        assert_eq!(child.communicate(b"").await?, Default::default());
        let error = child.communicate(b"more").await.unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::InvalidInput),
            "{error:?}"
        );
        Ok(())
    });
}

#[test]
fn output_and_errors_can_share_a_pipe_or_a_file() {
    alone("output_and_errors_can_share_a_pipe_or_a_file", || async {
        let script = "echo one; echo two >&2; echo three";
        let mut command = sh(script);
        command.stderr(Stdio::stdout());
        for _ in 0..2 {
            assert_eq!(check_output(&mut command).await?, b"one\ntwo\nthree\n");
        }
        let (mut reader, writer) = io::pipe()?;
        let output = subprocess::run(sh(script).stdout(writer).stderr(Stdio::stdout())).await?;
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        let mut all = String::new();
        io::Read::read_to_string(&mut reader, &mut all)?;
        assert_eq!(all, "one\ntwo\nthree\n");
        let nowhere = subprocess::run(sh(script).stdout(Stdio::null()).stderr(Stdio::stdout())).await?;
        assert_eq!(code(nowhere.status), 0);
        Ok(())
    });
}

#[test]
fn a_pipeline() {
    alone("a_pipeline", || async {
        let mut seq = Command::new("seq").arg("100000").stdout(Stdio::piped()).spawn()?;
        let mut sort = Command::new("sort");
        let mut sort = sort
            .arg("-rn")
            .stdin(seq.stdout.take().unwrap())
            .stdout(Stdio::piped())
            .spawn()?;
        let head = check_output(Command::new("head").arg("-n2").stdin(sort.stdout.take().unwrap())).await?;
        assert_eq!(head, b"100000\n99999\n");
        assert_eq!(code(seq.wait().await?), 0);
        sort.wait().await.map(drop)
    });
}

/// Which it learns by SIGPIPE: we ignore that, and it must not.
#[test]
fn the_first_of_a_pipeline_learns_that_nobody_reads() {
    alone("the_first_of_a_pipeline_learns_that_nobody_reads", || async {
        let mut yes = Command::new("yes").stdout(Stdio::piped()).spawn()?;
        let mut head = Command::new("head");
        head.arg("-n3").stdin(yes.stdout.take().unwrap());
        // The command lives on; it must not keep the pipe.
        assert_eq!(check_output(&mut head).await?, b"y\ny\ny\n");
        assert_eq!(yes.wait().await?.signal(), Some(13));
        let error = head.spawn().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot start head: an earlier start has used up its standard input"
        );
        assert!(check_output(head.stdin(Stdio::null())).await?.is_empty());
        Ok(())
    });
}

#[test]
fn a_stream_with_something_in_its_buffer_is_no_input() {
    alone("a_stream_with_something_in_its_buffer_is_no_input", || async {
        let mut child = sh("printf 'one\ntwo\n'").stdout(Stdio::piped()).spawn()?;
        let mut stdout = child.stdout.take().unwrap();
        child.wait().await?;
        stdout.read_line(&mut String::new()).await?;
        let error = Command::new("cat").stdin(stdout).spawn().unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("4 bytes of the stream were read and are in its buffer"),
            "{error}"
        );
        Ok(())
    });
}

#[test]
fn one_that_does_not_read_its_input() {
    alone("one_that_does_not_read_its_input", || async {
        let input = vec![b'x'; 3_000_000];
        assert_eq!(
            check_output(Command::new("head").arg("-c3"))
                .input(&input[..])
                .await?,
            b"xxx"
        );
        let mut child = sh("echo out; exec <&-; echo more");
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let error = child.communicate(&input).await.unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::BrokenPipe),
            "{error:?}"
        );
        // Nothing of what it has said is lost.
        let output = child.wait_with_output().await?;
        assert_eq!(
            (code(output.status), &output.stdout[..]),
            (0, &b"out\nmore\n"[..])
        );
        Ok(())
    });
}

#[test]
fn a_status_that_is_not_zero() {
    alone("a_status_that_is_not_zero", || async {
        let output = subprocess::run(&mut sh("echo half; exit 3")).await?;
        assert_eq!((code(output.status), output.stdout.len()), (3, 0));
        for (script, shown) in [
            (
                "echo half; echo one >&2; echo two >&2; exit 3",
                "sh failed (exit status: 3): two",
            ),
            ("echo half; kill -9 $$", "sh failed (signal: 9 (SIGKILL))"),
        ] {
            let error = check_output(sh(script).stderr(Stdio::piped())).await.unwrap_err();
            assert!(!error.is_cancellation());
            assert_eq!(error.to_string(), shown);
            let Error::Other(error) = error else {
                panic!("{error:?}")
            };
            let error = error.get_ref().downcast_ref::<CalledProcessError>().unwrap();
            assert_eq!(error.stdout(), b"half\n");
        }
        Ok(())
    });
}

// ---- Waiting

#[test]
fn a_wait_is_cancelled_and_done_again() {
    alone("a_wait_is_cancelled_and_done_again", || async {
        let child = Rc::new(endless().await?);
        let waiter = spawn(child.wait());
        while waiter.state().as_str() != "PROCESS_WAIT" {
            yield_now().await?;
        }
        waiter.cancel().await?;
        assert!(timeout_after(MS, child.wait()).await.unwrap_err().is_timeout());
        assert!(child.try_wait()?.is_none() && is_alive(child.id()));
        // Two tasks, a combinator, and one that gives up.
        let waiters = [(); 2].map(|()| spawn(child.wait()));
        let quitter = spawn(child.wait());
        yield_now().await?;
        quitter.cancel().await?;
        let both = join(child.wait(), async {
            sleep(MS).await?;
            child.terminate()
        });
        let (status, terminated) = both.await;
        terminated?;
        assert_eq!(status?.signal(), Some(15));
        for waiter in waiters {
            assert_eq!(waiter.join().await?.signal(), Some(15));
        }
        // It has ended: no signal goes anywhere.
        child.kill()?;
        child.signal(SIGUSR1)?;
        child.signal_group(SIGKILL).unwrap_err();
        Ok(())
    });
}

#[test]
fn a_child_that_does_not_listen() {
    alone("a_child_that_does_not_listen", || async {
        let said = Path::new("said");
        let deaf = || {
            let mut deaf = sh("trap '' TERM; echo ready; : > $SAID; while :; do sleep 0.01; done");
            deaf.env("SAID", &said.0);
            deaf
        };
        let child = ready(deaf().stdout(Stdio::piped()).spawn()?).await?;
        until_made(&said).await;
        child.terminate()?;
        assert!(child.wait().timeout(30 * MS).await.unwrap_err().is_timeout());
        child.kill()?;
        assert_eq!(child.wait().await?.signal(), Some(9));
        let (output, ()) = join(check_output(deaf()).timeout(MS), until_made(&said)).await;
        assert_eq!(timed_out(output), "ready\n");
        Ok(())
    });
}

#[test]
fn a_grandchild_that_holds_the_pipe_open() {
    alone("a_grandchild_that_holds_the_pipe_open", || async {
        // It is a child of nobody here, and is ended by its number.
        let end = |output: &str| {
            let number: u32 = output.trim().parse().unwrap();
            assert!(is_alive(number));
            kill(number);
        };
        let script = "sleep 1000 & echo $!";
        let start = clock();
        end(&timed_out(check_output(sh(script)).timeout(300 * MS).await));
        // The child itself has ended, and one can wait for it.
        let mut child = sh(script).stdout(Stdio::piped()).spawn()?;
        assert_eq!(code(child.wait().await?), 0);
        end(&timed_out(child.communicate(b"").timeout(20 * MS).await));
        assert!(clock() - start < 10 * SEC);
        // A group is ended together.
        let mut child = sh("sleep 1000 & echo $!; wait")
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut number = String::new();
        child.stdout.as_mut().unwrap().read_line(&mut number).await?;
        child.signal_group(SIGKILL)?;
        assert_eq!(child.wait_with_output().await?.status.signal(), Some(9));
        Ok(())
    });
}

#[test]
fn children_that_are_not_ours_alone() {
    alone("children_that_are_not_ours_alone", || async {
        // Those of others are theirs.
        let mut other = process::Command::new("true").spawn()?;
        subprocess::run(Command::new("true")).await?;
        assert!(other.wait()?.success());
        // Somebody else takes the status, before we can.
        let child = endless().await?;
        let number = child.id() as i32;
        // SAFETY: no pointers but to what lives here. The handler that goes back is the one that was there.
        unsafe {
            let mut ours = std::mem::zeroed();
            let mut nothing: libc::sigaction = std::mem::zeroed();
            nothing.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(libc::SIGCHLD, &nothing, &mut ours);
            child.kill()?;
            assert_eq!(libc::waitpid(number, std::ptr::null_mut(), 0), number);
            libc::sigaction(libc::SIGCHLD, &ours, std::ptr::null_mut());
        }
        let error = child.wait().await.unwrap_err();
        let expected = format!("the status of process {number} is lost, somebody else has asked for it: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        child.kill()?;
        // As its signal was lost, it is taken off the list with the next one.
        subprocess::run(Command::new("true")).await.map(drop)
    });
}

#[test]
fn that_the_signal_is_ignored_is_no_matter() {
    alone("that_the_signal_is_ignored_is_no_matter", || async {
        let signals = SignalQueue::new([SIGCHLD])?;
        let child = endless().await?;
        let number = child.id();
        let waiter = spawn(async move { child.wait().await });
        yield_now().await?;
        let ignored = signal::ignore([SIGCHLD])?;
        // While somebody waits already, and from the start.
        kill(number);
        assert_eq!(waiter.join().await?.signal(), Some(9));
        subprocess::run(Command::new("true")).await?;
        drop(ignored);
        assert_eq!(signals.try_get(), None);
        subprocess::run(Command::new("true")).await?;
        assert_eq!(signals.get().await?, SIGCHLD);
        Ok(())
    });
}

#[test]
fn others_may_watch_the_signal_too() {
    alone("others_may_watch_the_signal_too", || async {
        let signals = SignalQueue::new([SIGCHLD])?;
        subprocess::run(Command::new("true")).await?;
        assert_eq!(signals.get().await?, SIGCHLD);
        drop(signals);
        subprocess::run(Command::new("true")).await.map(drop)
    });
}

#[test]
fn one_that_has_ended_or_never_begun_is_no_reason_to_let_nobody_run() {
    alone(
        "one_that_has_ended_or_never_begun_is_no_reason_to_let_nobody_run",
        || async {
            let mut child = Command::new("true").spawn()?;
            child.wait().await?;
            lets_others_run(async || assert!(child.wait().await.unwrap().success())).await?;
            lets_others_run(async || drop(child.communicate(b"").await.unwrap())).await?;
            lets_others_run(async || drop(child.communicate(b"x").await.unwrap_err())).await?;
            lets_others_run(async || drop(subprocess::run(Command::new("no/such")).await.unwrap_err())).await
        },
    );
}

// ---- Many

#[test]
fn five_hundred_that_end_at_once() {
    alone("five_hundred_that_end_at_once", || async {
        let (reader, writer) = io::pipe()?;
        let mut group = Vec::new();
        for _ in 0..500 {
            // All wait for the same pipe to end, whose other end only we have.
            let stdin = reader.try_clone()?;
            group.push(Command::new("cat").stdin(stdin).stdout(Stdio::null()).spawn()?);
        }
        assert!(children().len() == 500);
        // Every other one is forgotten.
        let kept: Vec<Child> = group.into_iter().step_by(2).collect();
        let waits = kept.iter().map(|child| child.wait());
        drop((reader, writer));
        for status in join_all(waits).await {
            assert_eq!(code(status?), 0);
        }
        while !children().is_empty() {
            yield_now().await?;
        }
        Ok(())
    });
}

#[test]
fn a_hundred_conversations_at_once() {
    alone("a_hundred_conversations_at_once", || async {
        let talks: FuturesUnordered<_> = (0..50)
            .map(|n| check_output(Command::new("cat")).input(format!("{n}").repeat(10_000)))
            .collect();
        let outputs: Vec<_> = talks.collect().await;
        assert_eq!(outputs.len(), 50);
        let g = TaskGroup::all();
        for n in 0..50 {
            g.spawn(async move {
                let output = check_output(Command::new("cat"))
                    .input(format!("{n}").repeat(10_000))
                    .await?;
                assert_eq!(output, format!("{n}").repeat(10_000).as_bytes());
                Ok(())
            });
        }
        g.join().await
    });
}

/// It always has something to say, and keeps neither the others from running nor the time from coming.
#[test]
fn one_that_never_stops_talking() {
    alone("one_that_never_stops_talking", || async {
        let ticks = Rc::new(Cell::new(0));
        let ticker = spawn({
            let ticks = ticks.clone();
            async move {
                loop {
                    sleep(MS).await?;
                    ticks.set(ticks.get() + 1);
                }
                #[allow(unreachable_code)]
                Ok(())
            }
        });
        // On a busy machine it may not even have begun by then; with more time, it has.
        let mut limit = 100 * MS;
        loop {
            ticks.set(0);
            let mut flood = sh("yes & exec yes >&2");
            let flood = flood
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0);
            let Err(Error::Timeout(progress)) = subprocess::run(flood).timeout(limit).await else {
                panic!("it never ends")
            };
            if progress.stdout().len() > 1000 && progress.stderr().len() > 1000 && ticks.get() > 2 {
                break;
            }
            limit *= 4;
        }
        ticker.cancel().await
    });
}

// ---- Interruptions

#[test]
fn an_interrupted_run_kills_and_tells() {
    alone("an_interrupted_run_kills_and_tells", || async {
        let said = Path::new("said");
        let mut command = sh("echo $$; echo error >&2; : > $SAID; exec sleep 1000");
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("SAID", &said.0);
        let number = |progress: &curio::Progress| -> u32 {
            assert_eq!(progress.stderr(), b"error\n");
            std::str::from_utf8(progress.stdout())
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        };
        // A timeout; two of them; a cancellation.
        let (output, ()) = join(check_output(&mut command).timeout(MS), until_made(&said)).await;
        let Err(Error::Timeout(progress)) = output else {
            panic!("it takes longer")
        };
        assert!(
            !is_alive(number(&progress)),
            "it is reaped when the error comes out"
        );
        let inner = check_output(&mut command).timeout(1000 * SEC);
        let outer = timeout_after(MS, async {
            match inner.await {
                Err(Error::TimeoutCancellation(progress)) => {
                    assert!(!is_alive(number(&progress)));
                    Err::<(), _>(Error::TimeoutCancellation(progress))
                }
                other => panic!("{other:?}"),
            }
        });
        let (outer, ()) = join(outer, until_made(&said)).await;
        let error = outer.unwrap_err();
        assert_eq!(
            error.to_string().split(' ').next_back(),
            Some("output)"),
            "{error}"
        );
        let task = spawn(async move {
            match subprocess::run(command).input("unread").await {
                Err(Error::Cancelled(progress)) => {
                    assert_eq!(progress.bytes(), 6);
                    Ok(number(&progress))
                }
                other => panic!("{other:?}"),
            }
        });
        yield_now().await?;
        until_made(&said).await;
        task.cancel().await?;
        assert!(!is_alive(task.join().await?));
        Ok(())
    });
}

/// The interruption is found where input is to be written, and before the output is looked at.
#[test]
fn what_comes_together_with_the_interruption_is_told_too() {
    alone(
        "what_comes_together_with_the_interruption_is_told_too",
        || async {
            let (go, said) = (Path::new("go"), Path::new("said"));
            let mut command =
                sh("while ! [ -e $GO ]; do sleep 0.01; done; echo hello; : > $SAID; exec sleep 1000");
            command.env("GO", &go.0).env("SAID", &said.0);
            let run = subprocess::run(command.stdout(Stdio::piped()))
                .input(vec![b'x'; 1_000_000])
                .timeout(MS);
            let block = async {
                fs::File::create(&go.0).unwrap();
                until_made(&said).await;
            };
            let (run, ()) = join(run, block).await;
            assert_eq!(timed_out(run), "hello\n");
            Ok(())
        },
    );
}

#[test]
fn an_interrupted_conversation_leaves_the_child_and_can_go_on() {
    alone(
        "an_interrupted_conversation_leaves_the_child_and_can_go_on",
        || async {
            // It reads a bit, says so, and then the rest.
            let mut command = sh("head -c 1; echo +; while ! [ -e $GO ]; do sleep 0.01; done; cat");
            let go = Path::new("go");
            command
                .env("GO", &go.0)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let mut child = command.spawn()?;
            let input: Vec<u8> = (0..1_000_000).map(|n| b'a' + (n % 26) as u8).collect();
            let (mut written, mut all) = (0, Vec::new());
            // Until it has answered, however long that takes.
            while all.len() < 3 {
                let told = child.communicate(&input[written..]).timeout(20 * MS).await;
                let Err(Error::Timeout(progress)) = told else {
                    panic!("it does not read")
                };
                written += progress.bytes();
                all.extend_from_slice(progress.stdout());
            }
            assert!(is_alive(child.id()));
            assert!(0 < written && written < input.len(), "{written}");
            assert_eq!(all, b"a+\n");
            fs::File::create(&go.0)?;
            // Dropped by somebody who does not know of interruptions: nothing is lost.
            let quitter = select(
                child.communicate(&input[written..]),
                Box::pin(sleep(Duration::ZERO)),
            )
            .await;
            drop(quitter);
            let (rest, _) = child.communicate(b"").await?;
            all.extend(rest);
            assert_eq!(&all[..4], b"a+\nb");
            assert_eq!(code(child.wait().await?), 0);
            Ok(())
        },
    );
}

#[test]
fn a_cancellation_on_top_of_a_timeout() {
    alone("a_cancellation_on_top_of_a_timeout", || async {
        for delay in 0..40 {
            let task = spawn(async {
                let r = check_output(Command::new("sleep").arg("1000"))
                    .timeout(5 * MS)
                    .await;
                // Whichever came out: the task is cancelled by the next wait at the latest.
                match r {
                    Err(error) if error.is_timeout() => sleep(1000 * SEC).await,
                    other => other.map(drop),
                }
            });
            sleep(4 * MS + 50 * delay * Duration::from_micros(1)).await?;
            task.cancel().await?;
            let Err(Error::Task(error)) = task.join().await else {
                panic!("it was cancelled")
            };
            assert!(error.cancelled(), "{error:?}");
        }
        Ok(())
    });
}

#[test]
fn what_is_dropped_is_killed_if_that_was_said() {
    alone("what_is_dropped_is_killed_if_that_was_said", || async {
        let child = sh("exec sleep 1000").kill_on_drop(true).spawn()?;
        let mut number = child.id();
        drop(child);
        while is_alive(number) {
            yield_now().await?;
        }
        let child = endless().await?;
        number = child.id();
        let again = child.wait();
        drop(child);
        assert!(timeout_after(20 * MS, again).await.unwrap_err().is_timeout());
        assert!(is_alive(number));
        kill(number);
        // A run that loses a race.
        let mut command = sh("exec sleep 1000");
        select(subprocess::run(&mut command), Box::pin(sleep(20 * MS))).await;
        Ok(())
    });
}

#[test]
fn children_of_a_kernel_that_is_gone() {
    alone_by("exec \"$0\" \"$@\"", "children_of_a_kernel_that_is_gone", || {
        let kernel = Kernel::new().unwrap();
        let child = kernel.run(endless()).unwrap();
        let (forgotten, waiter) = kernel
            .run(async {
                let forgotten = endless().await?.id();
                let waiter = spawn(check_output(sh("exec sleep 1000")));
                while waiter.state() == State::Ready {
                    yield_now().await?;
                }
                Ok((forgotten, waiter))
            })
            .unwrap();
        kernel.shutdown().unwrap();
        // The run was killed, the others were not.
        assert!(waiter.terminated());
        assert!(is_alive(child.id()) && is_alive(forgotten));
        assert!(child.try_wait().unwrap().is_none());
        // It is reaped although there is no kernel.
        kill(forgotten);
        while is_alive(forgotten) {
            thread::yield_now();
        }
        child.kill().unwrap();
        // Another kernel can wait for it.
        assert_eq!(curio::run(child.wait()).unwrap().signal(), Some(9));
        assert!(matches!(sh("true").spawn(), Err(Error::NoKernel)));
        let mut wait = Box::pin(child.wait());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_ready(), "it has ended");
    });
}

#[test]
fn time_stands_still_for_a_child() {
    alone_by("exec \"$0\" \"$@\"", "time_stands_still_for_a_child", || {
        virtually_under(10, async |w| {
            let start = clock();
            let ticker = spawn(sleep(w.t(1)));
            let child = sh("exec sleep 0.03").spawn()?;
            assert_eq!(code(timeout_after(w.t(1), child.wait()).await?), 0);
            let said = check_output(&mut sh("sleep 0.03; echo said"))
                .timeout(w.t(1))
                .await?;
            assert_eq!(said, b"said\n");
            assert_eq!(clock(), start);
            ticker.join().await?;
            w.passed(start, 1);
            Ok(())
        });
        // And it goes on when nobody waits any more.
        let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
        kernel
            .run(async {
                let child = sh("exec sleep 1000").kill_on_drop(true).spawn()?;
                let waiter = spawn(child.wait());
                yield_now().await?;
                waiter.cancel().await?;
                sleep(SEC).await
            })
            .unwrap();
    });
}

// ---- Starting

/// A file for one test.
struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Path {
        Path(env::temp_dir().join(format!("curio-test-subprocess-{name}-{}", process::id())))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn what_cannot_be_started() {
    alone("what_cannot_be_started", || async {
        let (plain, script) = (Path::new("plain"), Path::new("script"));
        fs::File::create(&plain.0)?.write_all(b"#!/bin/sh\n")?;
        fs::File::create(&script.0)?.write_all(b"#!/no/such/interpreter\n")?;
        fs::set_permissions(&script.0, fs::Permissions::from_mode(0o755))?;
        let (plain, script) = (plain.0.to_str().unwrap(), script.0.to_str().unwrap());
        for (program, kind) in [
            ("no-such-program", io::ErrorKind::NotFound),
            ("/no/such/program", io::ErrorKind::NotFound),
            (script, io::ErrorKind::NotFound),
            (plain, io::ErrorKind::PermissionDenied),
            ("/tmp", io::ErrorKind::PermissionDenied),
        ] {
            let mut command = Command::new(program);
            command
                // A folder that one may not look into would be the reason otherwise.
                .env("PATH", "/usr/bin:/bin")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            for error in [
                command.spawn().unwrap_err(),
                check_output(&mut command).await.unwrap_err(),
            ] {
                assert!(
                    error
                        .to_string()
                        .starts_with(&format!("cannot start {program}: ")),
                    "{error}"
                );
                assert!(matches!(&error, Error::Io(e) if e.kind() == kind), "{error:?}");
            }
        }
        let error = sh("true").current_dir("/no/such/folder").spawn().unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::NotFound),
            "{error:?}"
        );
        Ok(())
    });
}

/// The pipes are made one after the other, so it fails in many places.
#[test]
fn without_descriptors_nothing_is_left() {
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    alone_by(script, "without_descriptors_nothing_is_left", || {
        curio::run(async {
            let (mut refused, mut started) = (0, 0);
            for free in 0..24 {
                let mut files = Vec::new();
                while let Ok(file) = fs::File::open("/dev/null") {
                    files.push(file);
                }
                files.truncate(files.len() - free);
                // It ends only if it is killed.
                let mut command = sh("read line; echo $line; exec sleep 1000");
                command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                if free % 2 == 0 {
                    command.stderr(Stdio::stdout());
                }
                match command.spawn() {
                    Ok(mut child) => {
                        started += 1;
                        drop(files);
                        child.stdin.as_mut().unwrap().write_all(b"hello\n").await?;
                        let mut line = String::new();
                        child.stdout.as_mut().unwrap().read_line(&mut line).await?;
                        assert_eq!(line, "hello\n");
                        child.kill()?;
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(error.to_string().contains("os error 24"), "{error}");
                        drop(files);
                    }
                }
                while !children().is_empty() {
                    yield_now().await?;
                }
            }
            assert!(refused > 6 && started > 6, "{refused}, {started}");
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn nothing_is_inherited_that_should_not_be() {
    // The shell makes our process ignore one signal, as `nohup` does; that is passed on.
    let script = "trap '' HUP; exec \"$0\" \"$@\"";
    alone_by(script, "nothing_is_inherited_that_should_not_be", || {
        // The signals from 32 on are the C library's own.
        let look = "ls /proc/self/fd; sed -En 's/^(Sig(Blk|Ign|Cgt)).*(.{7})$/\\1 \\3/p' /proc/self/status";
        // Whoever has started us may have left something open.
        let before = process::Command::new("sh")
            .args(["-c", look])
            .stdin(process::Stdio::null())
            .output()
            .unwrap();
        let before = String::from_utf8(before.stdout).unwrap();
        let ignored = before
            .split_once("SigIgn ")
            .unwrap()
            .1
            .split('\n')
            .next()
            .unwrap();
        let ignored = u64::from_str_radix(ignored, 16).unwrap();
        let bit = |signal: i32| ignored >> (signal - 1) & 1;
        assert_eq!((bit(libc::SIGHUP), bit(libc::SIGPIPE)), (1, 0));
        curio::run(async {
            let _listener = curio::net::TcpListener::bind("127.0.0.1:0")?;
            let _pair = curio::net::UnixStream::pair()?;
            let other = endless().await?;
            let _watched = SignalQueue::new([SIGTERM])?;
            let _ignored = signal::ignore([SIGUSR1])?;
            let mut by_fork = process::Command::new("sh");
            // SAFETY: it does nothing, but `std` takes the long way then.
            unsafe { by_fork.args(["-c", look]).pre_exec(|| Ok(())) };
            for mut command in [sh(look), by_fork.into()] {
                command.stdin(Stdio::null()).stderr(Stdio::stdout());
                assert_eq!(String::from_utf8(check_output(command).await?).unwrap(), before);
            }
            other.kill()
        })
        .unwrap();
    });
}

#[test]
fn environment_folder_and_group() {
    alone("environment_folder_and_group", || async {
        let mut command = sh("pwd; echo $ONE-$TWO-$THREE; echo ${HOME:-none}; echo $(ps -o pgid= -p $$) $$");
        command
            .current_dir("/")
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap());
        command
            .envs([("ONE", "1"), ("TWO", "2"), ("THREE", "3")])
            .env_remove("TWO")
            .process_group(0);
        let said = String::from_utf8(check_output(&mut command).await?).unwrap();
        let said: Vec<&str> = said.lines().collect();
        assert_eq!(said[..3], ["/", "1--3", "none"]);
        let (group, number) = said[3].split_once(' ').unwrap();
        assert_eq!(group, number);
        assert!(format!("{command:?}").contains("\"sh\" \"-c\""));
        Ok(())
    });
}

/// A waker no two of which are the same, not even a clone and what it was cloned from.
mod forgetful {
    use std::task::{RawWaker, RawWakerVTable, Waker};

    pub(super) fn waker(inner: Waker) -> Waker {
        // SAFETY: its data is a box, made here, that is freed exactly once: by `wake` or by `drop`.
        unsafe { Waker::from_raw(raw(inner)) }
    }

    fn raw(inner: Waker) -> RawWaker {
        RawWaker::new(Box::into_raw(Box::new(inner)).cast(), &TABLE)
    }

    static TABLE: RawWakerVTable = RawWakerVTable::new(
        // SAFETY: all four are called with what `raw` has made, see `waker`.
        |data| raw(unsafe { &*data.cast::<Waker>() }.clone()),
        // SAFETY: as above; this is the end of it.
        |data| unsafe { Box::from_raw(data.cast::<Waker>().cast_mut()) }.wake(),
        // SAFETY: as above.
        |data| unsafe { &*data.cast::<Waker>() }.wake_by_ref(),
        // SAFETY: as above; this is the end of it.
        |data| drop(unsafe { Box::from_raw(data.cast::<Waker>().cast_mut()) }),
    );
}

#[test]
fn a_waker_that_does_not_know_its_clones_is_as_good() {
    alone("a_waker_that_does_not_know_its_clones_is_as_good", || async {
        let child = endless().await?;
        let event = curio::UniversalEvent::new();
        let mut both = Box::pin(join(child.wait(), event.wait()));
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            match polls {
                // Both wait, and are asked again.
                1 | 2 => cx.waker().wake_by_ref(),
                3 => {
                    child.kill().unwrap();
                    event.set();
                }
                _ => {}
            }
            let waker = forgetful::waker(cx.waker().clone());
            both.as_mut()
                .poll(&mut std::task::Context::from_waker(&waker))
                .map(drop)
        })
        .await;
        Ok(())
    });
}
