//! Pipes, terminals and standard input. What needs a terminal, or standard input for itself, runs this very binary anew, with
//! the name of a test and `CURIO_DESCRIPTORS_CHILD` set.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, FromRawFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use curio::stream::{FileStream, stdin, stdout};
use curio::{Error, sleep, spawn, timeout_after, yield_now};
use socket2::SockRef;

use crate::cleanly;
use crate::common::{Alone, run};

const MS: Duration = Duration::from_millis(1);

fn blocks(file: &impl AsFd) -> bool {
    !SockRef::from(file).nonblocking().unwrap()
}

#[test]
fn a_pipe_carries_lines_and_ends() {
    cleanly(async || {
        let (reader, writer) = io::pipe()?;
        let (mut reader, mut writer) = (FileStream::open(reader)?, FileStream::open(writer)?);
        let lines: Vec<String> = (0..50_000).map(|n| format!("line {n}\n")).collect();
        let sender = spawn({
            let lines = lines.clone();
            async move { writer.write_lines(&lines).await }
        });
        let mut all = lines.iter();
        let mut read = reader.lines();
        while let Some(line) = read.next().await {
            assert_eq!(Some(line? + "\n"), all.next().cloned());
        }
        assert!(all.next().is_none());
        sender.join().await
    });
}

#[test]
fn a_pipe_whose_reader_has_gone_is_broken() {
    cleanly(async || {
        let (reader, writer) = io::pipe()?;
        let mut writer = FileStream::open(writer)?;
        let sender = spawn(async move { writer.write_all(&vec![0; 1_000_000]).await });
        yield_now().await?;
        drop(reader);
        let error = sender.join().await.unwrap_err();
        assert!(error.to_string().contains("roken pipe"), "{error}");
        Ok(())
    });
}

#[test]
fn an_interrupted_read_of_a_pipe_loses_nothing() {
    cleanly(async || {
        let (reader, mut writer) = io::pipe()?;
        let mut reader = FileStream::open(reader)?;
        writer.write_all(b"half a ")?;
        for _ in 0..3 {
            let mut line = String::new();
            let read = timeout_after(MS, reader.read_line(&mut line)).await;
            assert!(matches!(read, Err(Error::Timeout(_))), "{read:?}");
            assert!(line.is_empty());
        }
        writer.write_all(b"line\n")?;
        assert_eq!(reader.lines().next().await.unwrap()?, "half a line");
        Ok(())
    });
}

/// P2.
#[test]
fn a_file_blocks_again_when_nobody_uses_it_here() {
    cleanly(async || {
        let (reader, writer) = io::pipe()?;
        let others = reader.try_clone()?;
        assert!(blocks(&others));
        let mut s = FileStream::open(reader)?;
        assert!(!blocks(&others) && blocks(&writer));
        s.close()?;
        assert!(blocks(&others));
        assert!(matches!(s.read(&mut [0; 1]).await, Err(Error::Closed)));
        // What did not block before does not afterwards.
        SockRef::from(&others).set_nonblocking(true)?;
        drop(FileStream::open(others.try_clone()?)?);
        assert!(!blocks(&others));
        SockRef::from(&others).set_nonblocking(false)?;
        let file: File = FileStream::open(others.try_clone()?)?.into_inner().into_file()?;
        assert!(blocks(&file));
        Ok(())
    });
}

/// P2. A read that blocks would keep the timeout from coming.
#[test]
fn copies_of_a_descriptor_are_one_file_and_block_again_together() {
    cleanly(async || {
        let (reader, mut writer) = io::pipe()?;
        let others = reader.try_clone()?;
        let mut copies: Vec<FileStream> = Vec::new();
        for _ in 0..3 {
            copies.push(FileStream::open(reader.try_clone()?)?);
        }
        // The other end has the same number, and so has the pipe for who opens it anew. Neither is this file.
        let end = FileStream::open(writer.try_clone()?)?;
        drop(end);
        assert!(blocks(&writer));
        while let Some(first) = copies.pop() {
            drop(first);
            assert_eq!(blocks(&others), copies.is_empty());
            if let Some(next) = copies.last_mut() {
                let read = timeout_after(MS, next.read(&mut [0])).await;
                assert!(matches!(read, Err(Error::Timeout(_))), "{read:?}");
                writer.write_all(b"x")?;
                assert_eq!(next.read(&mut [0]).await?, 1);
            }
        }
        Ok(())
    });
}

#[test]
fn a_socket_that_is_a_mere_descriptor_has_halves() {
    cleanly(async || {
        let (one, two) = std::os::unix::net::UnixStream::pair()?;
        let (mut read, mut write) = FileStream::open(one)?.split();
        let reader = spawn(async move {
            let mut answer = String::new();
            read.read_line(&mut answer).await?;
            Ok(answer)
        });
        yield_now().await?;
        write.write_all(b"question").await?;
        write.close()?;
        let mut two = FileStream::open(two)?;
        let mut question = Vec::new();
        two.read_to_end(&mut question).await?;
        assert_eq!(question, b"question");
        two.write_all(b"answer\n").await?;
        assert_eq!(reader.join().await?, "answer\n");
        Ok(())
    });
}

#[test]
fn an_ordinary_file_is_read_as_it_is() {
    cleanly(async || {
        let path = crate::TempPath::new();
        std::fs::write(&path.0, "one\ntwo\n")?;
        let mut s = FileStream::open(File::open(&path.0)?)?;
        let mut lines = s.lines();
        assert_eq!(lines.next().await.unwrap()?, "one");
        assert_eq!(lines.next().await.unwrap()?, "two");
        assert!(lines.next().await.is_none());
        s.close()?;
        assert!(matches!(s.read(&mut [0; 1]).await, Err(Error::Closed)));
        let mut s = FileStream::open(File::options().read(true).write(true).open("/dev/null")?)?;
        s.write_all(b"nowhere").await?;
        assert_eq!(s.read(&mut [0; 10]).await?, 0);
        Ok(())
    });
}

/// Whether this is the process that a test has started.
fn is_child() -> bool {
    std::env::var_os("CURIO_DESCRIPTORS_CHILD").is_some()
}

fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", &format!("descriptors::{test}")])
        .env("CURIO_DESCRIPTORS_CHILD", "1");
    command
}

/// Answers each line, until the end.
fn answer() {
    run(async {
        let (mut input, mut output) = (stdin()?, stdout()?);
        let mut lines = input.lines();
        while let Some(line) = lines.next().await {
            output
                .write_all(format!("you said {}\n", line?).as_bytes())
                .await?;
        }
        output.write_all(b"goodbye\n").await
    })
    .unwrap();
}

#[test]
fn standard_input_may_be_anything() {
    if is_child() {
        return answer();
    }
    let _guard = Alone::start();
    let path = crate::TempPath::new();
    std::fs::write(&path.0, "one\ntwo\n").unwrap();
    let null = File::open("/dev/null").unwrap();
    let file = File::open(&path.0).unwrap();
    let (socket, mut peer) = std::os::unix::net::UnixStream::pair().unwrap();
    peer.write_all(b"one\ntwo\n").unwrap();
    let others = socket.try_clone().unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let socket = std::os::fd::OwnedFd::from(socket);
    for (input, said) in [
        (Stdio::from(null), false),
        (Stdio::from(file), true),
        (Stdio::from(socket), true),
    ] {
        let output = child("standard_input_may_be_anything")
            .stdin(input)
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert!(output.contains("goodbye"), "{output}");
        assert_eq!(output.contains("you said one\nyou said two\n"), said, "{output}");
    }
    // It was made to block again at the end.
    assert!(blocks(&others));

    // A pipe, which speaks now and then.
    let mut running = child("standard_input_may_be_anything")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = running.stdin.take().unwrap();
    for piece in ["o", "ne\ntw", "o\n"] {
        pipe.write_all(piece.as_bytes()).unwrap();
    }
    drop(pipe);
    let output = String::from_utf8(running.wait_with_output().unwrap().stdout).unwrap();
    assert!(
        output.contains("you said one\nyou said two\ngoodbye\n"),
        "{output}"
    );
}

/// A terminal: the side of the one who types and looks, and that of the program.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn terminal() -> (File, File) {
    let (mut outer, mut inner) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: the two numbers live here; no name, settings or size are asked for or given.
    let made = unsafe { libc::openpty(&mut outer, &mut inner, null, null.cast(), null.cast()) };
    assert_eq!(made, 0, "{}", io::Error::last_os_error());
    // SAFETY: they were opened just now, and nobody else has them.
    unsafe { (File::from_raw_fd(outer), File::from_raw_fd(inner)) }
}

/// With a real terminal.
#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_left_as_it_was() {
    if is_child() {
        assert!(io::stdin().is_terminal());
        run(async {
            // P2: two who use it, one after the other gone.
            let one = FileStream::open(io::stdin().as_fd().try_clone_to_owned()?)?;
            let two = FileStream::open(io::stdout().as_fd().try_clone_to_owned()?)?;
            assert!(!blocks(&io::stdin()));
            drop(one);
            assert!(!blocks(&io::stdin()));
            drop(two);
            assert!(blocks(&io::stdin()));
            // P1: nobody else hears of it, so nothing is left to be restored, not even by who is killed.
            let (_input, _output) = (stdin()?, stdout()?);
            assert!(blocks(&io::stdin()) && blocks(&io::stdout()));
            Ok(())
        })
        .unwrap();
        return answer();
    }
    let _guard = Alone::start();
    let (mut outer, inner) = terminal();
    // Lines that are there at once come one by one (P3). The last one is the end, as it is typed.
    outer.write_all(b"one\ntwo\nthree\n\x04").unwrap();
    let mut running = child("a_terminal_is_left_as_it_was")
        .stdin(inner.try_clone().unwrap())
        .stdout(inner)
        .spawn()
        .unwrap();
    // What was typed is shown first, as it was there first. When nobody has the inner side any more, to read is an error.
    let mut output = Vec::new();
    let _ = outer.read_to_end(&mut output);
    assert!(running.wait().unwrap().success());
    let output = String::from_utf8(output).unwrap().replace("\r\n", "\n");
    assert!(
        output.contains("you said one\nyou said two\nyou said three\ngoodbye\n"),
        "{output}"
    );
}

/// Whether a descriptor that comes is a copy of one that is in use is found out while that one is read.
#[test]
fn a_copy_that_comes_does_not_make_a_kernel_block() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
    use std::thread;

    let _alone = Alone::start();
    let (reader, mut writer) = io::pipe().unwrap();
    let (done, ready) = (AtomicBool::new(false), AtomicBool::new(false));
    let (read, turns) = (AtomicU32::new(0), AtomicU32::new(0));
    let copy = reader.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            curio::run(async {
                let mut stream = FileStream::open(reader)?;
                ready.store(true, SeqCst);
                let reading = async {
                    while stream.read(&mut [0; 10]).await? > 0 {
                        read.fetch_add(1, SeqCst);
                    }
                    Ok::<_, Error>(())
                };
                let turning = async {
                    while !done.load(SeqCst) {
                        turns.fetch_add(1, SeqCst);
                        sleep(Duration::from_micros(50)).await?;
                    }
                    Ok(())
                };
                futures::try_join!(reading, turning).map(drop)
            })
        });
        scope.spawn(|| {
            curio::run(async {
                while !ready.load(SeqCst) {
                    yield_now().await?;
                }
                while !done.load(SeqCst) {
                    drop(FileStream::open(copy.try_clone()?)?);
                    yield_now().await?;
                }
                Ok(())
            })
        });
        let until = |count: &AtomicU32, least: u32| {
            let start = std::time::Instant::now();
            while count.load(SeqCst) < least && start.elapsed() < Duration::from_secs(5) {
                thread::sleep(Duration::from_micros(50));
            }
            count.load(SeqCst) >= least
        };
        let mut turned = true;
        for n in 1..=500 {
            writer.write_all(b"x").unwrap();
            turned &= until(&read, n) && until(&turns, turns.load(SeqCst) + 2);
            if !turned {
                break;
            }
        }
        done.store(true, SeqCst);
        drop(writer);
        assert!(turned, "the kernel blocks in a read");
    });
}
