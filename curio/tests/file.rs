//! Files: what an interrupted operation leaves behind, and what the system refuses.

#![allow(missing_docs)]

mod common;

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Alone, Counted, counted, lets_others_run, run, virtually};
use curio::file::{File, OpenOptions};
use curio::{Error, Kernel, Result, run_in_thread, spawn, timeout_after, yield_now};
use futures::future::{Either, poll_immediate, select};

/// A directory that is removed in the end.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("curio-file-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.join("file");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn one_worker() -> Counted {
    counted(Kernel::builder().max_worker_threads(1).build().unwrap())
}

/// Bytes that are everywhere different.
fn pattern(size: usize) -> Vec<u8> {
    (0..size as u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 8).to_le_bytes())
        .take(size)
        .collect()
}

async fn open_both(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path).await
}

/// Begins a read of so many bytes, lets the only worker do it, and goes away without a look at what it gave.
async fn read_for_nobody(file: &mut File, size: usize) -> Result<()> {
    file.flush().await?;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = spawn(run_in_thread(move || released.recv().is_err()));
    yield_now().await?;
    let mut buf = vec![0; size];
    let mut read = Box::pin(file.read(&mut buf));
    assert!(poll_immediate(&mut read).await.is_none());
    drop(release);
    holder.join().await?;
    run_in_thread(|| ()).await
}

async fn all(file: &mut File) -> Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    Ok(text)
}

// ---- As in std

#[test]
fn what_is_written_is_read() {
    let (_guard, dir) = (Alone::start(), Dir::new("written"));
    let path = dir.0.join("new");
    let bytes = pattern(3_500_000);
    run(async {
        let mut file = File::create_new(&path).await?;
        assert!(File::create_new(&path).await.is_err());
        file.write_all(&bytes).await?;
        file.sync_all().await?;
        file.sync_data().await?;
        assert_eq!(file.stream_position().await?, 3_500_000);
        file.rewind().await?;
        let mut back = Vec::new();
        assert_eq!(file.read_to_end(&mut back).await?, bytes.len());
        assert!(back == bytes);
        // One call takes a megabyte at most.
        file.rewind().await?;
        let mut buf = vec![0; 2 << 20];
        assert_eq!(file.read(&mut buf).await?, 1 << 20);
        assert_eq!(file.write(&buf).await?, 1 << 20);
        // Nothing is nothing.
        assert_eq!((file.read(&mut []).await?, file.write(&[]).await?), (0, 0));
        file.read_exact(&mut []).await?;
        file.write_all(&[]).await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn appended_is_at_the_end() {
    let (_guard, dir) = (Alone::start(), Dir::new("append"));
    let path = dir.file(b"one ");
    run(async {
        let mut file = OpenOptions::new().read(true).append(true).open(&path).await?;
        let mut buf = [0; 2];
        file.read_exact(&mut buf).await?;
        file.write_all(b"two").await?;
        assert_eq!(std::fs::read(&path)?, b"one two");
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_errors_of_the_system_are_told() {
    let (_guard, dir) = (Alone::start(), Dir::new("errors"));
    let path = dir.file(b"\xff\xfe");
    run(async {
        fn kind<T>(result: Result<T>) -> io::ErrorKind {
            match result {
                Err(Error::Io(error)) => error.kind(),
                _ => panic!("no error of the system"),
            }
        }
        let mut file = File::open(&path).await?;
        assert_eq!(
            kind(file.read_to_string(&mut String::new()).await),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            kind(file.read_exact(&mut [0]).await),
            io::ErrorKind::UnexpectedEof
        );
        assert!(file.write_all(b"x").await.is_err(), "it is open to be read");
        assert!(file.seek(SeekFrom::Current(-100)).await.is_err());
        assert_eq!(
            kind(File::open(dir.0.join("none")).await),
            io::ErrorKind::NotFound
        );
        assert!(
            file.blocking(|_| Err::<(), _>(io::Error::other("no")))
                .await
                .is_err()
        );
        assert!(
            file.blocking(|_| -> io::Result<()> { panic!("spilled milk") })
                .await
                .is_err()
        );
        // And it is still of use.
        assert_eq!(file.rewind().await?, 0);
        assert_eq!(file.metadata().await?.len(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn outside_of_a_task_it_is_a_clear_error() {
    let _guard = Alone::start();
    let file = run(File::open("Cargo.toml"));
    let mut file = file.unwrap();
    fn poll<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }
    assert!(matches!(poll(File::open("Cargo.toml")), Err(Error::NoKernel)));
    assert!(matches!(poll(file.read(&mut [0])), Err(Error::NoKernel)));
    assert!(matches!(
        poll(file.seek(SeekFrom::Start(1))),
        Err(Error::NoKernel)
    ));
    // A file belongs to no kernel.
    let mut start = [0; 9];
    run(file.read_exact(&mut start)).unwrap();
    assert_eq!(&start, b"[package]");
}

#[test]
fn files_on_the_virtual_clock() {
    let dir = Dir::new("virtual");
    let path = dir.file(b"hello");
    virtually(async |w| {
        let since = curio::clock();
        let mut file = timeout_after(w.t(1), File::open(&path)).await?;
        assert_eq!(timeout_after(w.t(1), all(&mut file)).await?, "hello");
        w.passed(since, 0);
        Ok(())
    });
}

// ---- Interrupted

#[test]
fn a_read_that_was_left_behind_is_still_to_be_read() {
    let (_guard, dir) = (Alone::start(), Dir::new("left"));
    let path = dir.file(b"0123456789");
    one_worker()
        .run(async {
            let mut file = open_both(&path).await?;
            read_for_nobody(&mut file, 4).await?;
            assert_eq!(all(&mut file).await?, "0123456789");

            file.rewind().await?;
            read_for_nobody(&mut file, 4).await?;
            let mut two = [0; 2];
            file.read_exact(&mut two).await?;
            assert_eq!(&two, b"01");
            assert_eq!(file.stream_position().await?, 2);
            assert_eq!(all(&mut file).await?, "23456789");

            file.rewind().await?;
            read_for_nobody(&mut file, 4).await?;
            assert_eq!(file.seek(SeekFrom::Current(3)).await?, 3);
            read_for_nobody(&mut file, 4).await?;
            assert_eq!(file.seek(SeekFrom::Current(-1)).await?, 2);
            read_for_nobody(&mut file, 4).await?;
            assert!(file.seek(SeekFrom::Current(-100)).await.is_err());
            assert_eq!(all(&mut file).await?, "23456789");

            file.rewind().await?;
            read_for_nobody(&mut file, 4).await?;
            file.write_all(b"AB").await?;
            assert_eq!(all(&mut file).await?, "23456789");
            assert_eq!(std::fs::read(&path)?, b"AB23456789");

            file.rewind().await?;
            read_for_nobody(&mut file, 4).await?;
            let position = file.blocking(|mut file| io::Seek::stream_position(&mut file));
            assert_eq!(position.await?, 0);
            read_for_nobody(&mut file, 4).await?;
            let mut std = file.into_std().await?;
            assert_eq!(io::Seek::stream_position(&mut std)?, 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_operation_that_has_not_begun_never_does() {
    let (_guard, dir) = (Alone::start(), Dir::new("begun"));
    let path = dir.file(b"0123456789");
    one_worker()
        .run(async {
            let mut file = open_both(&path).await?;
            let (release, released) = std::sync::mpsc::channel::<()>();
            let holder = spawn(run_in_thread(move || released.recv().is_err()));
            yield_now().await?;
            let late = Duration::from_millis(1);
            assert!(
                timeout_after(late, file.write_all(b"XXXX"))
                    .await
                    .unwrap_err()
                    .is_timeout()
            );
            assert!(
                timeout_after(late, file.read(&mut [0; 4]))
                    .await
                    .unwrap_err()
                    .is_timeout()
            );
            assert!(
                timeout_after(late, file.set_len(0))
                    .await
                    .unwrap_err()
                    .is_timeout()
            );
            assert!(
                timeout_after(late, file.seek(SeekFrom::End(0)))
                    .await
                    .unwrap_err()
                    .is_timeout()
            );
            let mut text = String::from("text");
            assert!(timeout_after(late, file.read_to_string(&mut text)).await.is_err());
            drop(release);
            holder.join().await?;
            assert_eq!(text, "text");
            assert_eq!(all(&mut file).await?, "0123456789");
            Ok(())
        })
        .unwrap();
}

#[test]
fn reads_that_are_interrupted_at_random_lose_nothing() {
    let (_guard, dir) = (Alone::start(), Dir::new("reads"));
    let bytes = pattern(2_000_000);
    let path = dir.file(&bytes);
    run(async {
        let mut file = File::open(&path).await?;
        let (mut back, mut interrupted, mut n) = (Vec::new(), 0, 0_u64);
        // Again, if the machine was too quick to be interrupted; the watchdog bounds it.
        while back.len() < bytes.len() || interrupted == 0 {
            if back.len() == bytes.len() {
                back.clear();
                file.rewind().await?;
            }
            n += 1;
            let mut buf = vec![0; 1 + (n as usize * 7919) % 40_000];
            let limit = Duration::from_micros(n * 31 % 60);
            match n % 4 {
                0 => match timeout_after(limit, file.read_exact(&mut buf)).await {
                    Ok(()) => back.extend_from_slice(&buf),
                    Err(Error::Timeout(progress)) => {
                        interrupted += 1;
                        back.extend_from_slice(&buf[..progress.bytes()]);
                    }
                    // The end: what is in the buffer is not told then.
                    Err(_) => {
                        file.seek(SeekFrom::Start(back.len() as u64)).await?;
                        file.read_to_end(&mut back).await?;
                    }
                },
                1 => {
                    // Dropped, not interrupted.
                    let got = {
                        let (read, pause) = (Box::pin(file.read(&mut buf)), Box::pin(yield_now()));
                        match select(pause, read).await {
                            Either::Left(_) => 0,
                            Either::Right((read, _)) => read?,
                        }
                    };
                    back.extend_from_slice(&buf[..got]);
                    file.flush().await?;
                }
                2 => match timeout_after(limit, file.read(&mut buf)).await {
                    Ok(n) => back.extend_from_slice(&buf[..n]),
                    Err(error) => {
                        assert!(error.is_timeout());
                        interrupted += 1;
                    }
                },
                _ => {
                    let n = file.read(&mut buf).await?;
                    back.extend_from_slice(&buf[..n]);
                }
            }
            if n % 16 == 0 {
                assert_eq!(file.stream_position().await?, back.len() as u64);
            }
        }
        assert!(back == bytes);
        Ok(())
    })
    .unwrap();
}

#[test]
fn writes_that_are_interrupted_at_random_say_how_far_they_got() {
    let (_guard, dir) = (Alone::start(), Dir::new("writes"));
    let bytes = pattern(30_000_000);
    let path = dir.file(b"");
    run(async {
        let mut file = File::create(&path).await?;
        let (mut done, mut partial, mut n) = (0, 0, 0_u64);
        // Again, as above.
        while done < bytes.len() || partial == 0 {
            if done == bytes.len() {
                done = 0;
                file.rewind().await?;
                file.set_len(0).await?;
            }
            n += 1;
            let limit = Duration::from_micros(n * 97 % 3_000);
            let size = 1 + (n as usize * 791_939) % 8_000_000;
            let piece = &bytes[done..bytes.len().min(done + size)];
            match timeout_after(limit, file.write_all(piece)).await {
                Ok(()) => done += piece.len(),
                Err(Error::Timeout(progress)) => {
                    partial += usize::from(progress.bytes() > 0 && progress.bytes() < piece.len());
                    done += progress.bytes();
                }
                Err(error) => return Err(error),
            }
            assert_eq!(
                std::fs::metadata(&path)?.len(),
                done as u64,
                "the error and the disk say the same"
            );
        }
        assert!(std::fs::read(&path)? == bytes);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_write_that_was_dropped_is_settled_before_the_next() {
    let (_guard, dir) = (Alone::start(), Dir::new("dropped"));
    let path = dir.file(b"");
    one_worker()
        .run(async {
            let mut file = File::create(&path).await?;
            for _ in 0..100 {
                let mut write = Box::pin(file.write_all(b"one"));
                let _ = poll_immediate(&mut write).await;
                // The worker has it, has yet to take it, or has done it.
                drop(write);
                let done = file.stream_position().await?;
                assert!(done == 0 || done == 3, "{done}");
                file.rewind().await?;
                file.write_all(b"two").await?;
                assert_eq!(std::fs::read(&path)?, b"two");
                file.rewind().await?;
                file.set_len(0).await?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn operations_that_are_leaked_are_settled_too() {
    let (_guard, dir) = (Alone::start(), Dir::new("leaked"));
    let path = dir.file(b"0123456789");
    run(async {
        let mut file = open_both(&path).await?;
        let buf = Box::leak(Box::new([0; 4]));
        let mut read = Box::pin(file.read(buf));
        if poll_immediate(&mut read).await.is_none() {
            std::mem::forget(read);
            assert_eq!(all(&mut file).await?, "0123456789");
        }
        Ok(())
    })
    .unwrap();
}

// ---- What has no positions

#[cfg(unix)]
fn fifo(dir: &Dir) -> PathBuf {
    let path = dir.0.join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

#[cfg(unix)]
#[test]
fn a_read_from_a_pipe_is_left_at_once_and_loses_nothing() {
    let (_guard, dir) = (Alone::start(), Dir::new("pipe"));
    let path = fifo(&dir);
    one_worker()
        .run(async {
            let mut pipe = open_both(&path).await?;
            let mut end = open_both(&path).await?;
            let mut buf = [0; 100];
            for _ in 0..20 {
                let read = timeout_after(Duration::from_millis(1), pipe.read(&mut buf)).await;
                assert!(read.unwrap_err().is_timeout());
                // The worker that hangs does not count.
                end.write_all(b"").await?;
                run_in_thread(|| ()).await?;
            }
            end.write_all(b"hello").await?;
            let mut five = [0; 5];
            pipe.read_exact(&mut five).await?;
            assert_eq!(&five, b"hello");
            assert!(pipe.stream_position().await.is_err());
            // A cancelled task leaves at once, too.
            let reader = spawn(async move { pipe.read(&mut [0; 10]).await });
            yield_now().await?;
            reader.cancel().await?;
            // The worker that still hangs may go.
            end.write_all(b"hello").await
        })
        .unwrap();
}

#[cfg(unix)]
#[test]
fn a_write_to_a_full_pipe_is_left_at_once_and_goes_on() {
    let (_guard, dir) = (Alone::start(), Dir::new("full"));
    let path = fifo(&dir);
    let bytes = pattern(300_000);
    run(async {
        let (mut pipe, mut end) = (open_both(&path).await?, open_both(&path).await?);
        let write = timeout_after(Duration::from_millis(5), pipe.write_all(&bytes)).await;
        assert!(write.unwrap_err().is_timeout());
        let mut back = vec![0; bytes.len()];
        end.read_exact(&mut back).await?;
        assert!(back == bytes);
        pipe.flush().await
    })
    .unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_failure_that_nobody_waited_for_is_told_later() {
    let (_guard, dir) = (Alone::start(), Dir::new("later"));
    let path = fifo(&dir);
    one_worker()
        .run(async {
            let mut end = open_both(&path).await?;
            let mut pipe = OpenOptions::new().write(true).open(&path).await?;
            let bytes = vec![0; 300_000];
            let write = timeout_after(Duration::from_millis(5), pipe.write_all(&bytes)).await;
            assert!(write.unwrap_err().is_timeout());
            // The reader goes away while the write waits for it. (The system has taken a part by then, which is success,
            // or none; so it is the second write that must fail.)
            end.read_exact(&mut [0; 10]).await?;
            drop(end);
            let failed = pipe.flush().await.is_err() || pipe.write_all(b"more").await.is_err();
            assert!(failed);
            Ok(())
        })
        .unwrap();
}

// ---- A full disk

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_what_was_written_is_there() {
    let (_guard, dir) = (Alone::start(), Dir::new("full-disk"));
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "curio-test"])
        .arg(&dir.0)
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: mounting a small tmpfs is not permitted here");
        return;
    }
    struct Mounted<'a>(&'a Path);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount")
                .arg("-l")
                .arg(self.0)
                .status();
        }
    }
    let _mounted = Mounted(&dir.0);
    let path = dir.0.join("big");
    let bytes = pattern(1_000_000);
    run(async {
        let mut file = open_both(&{
            std::fs::write(&path, b"")?;
            path.clone()
        })
        .await?;
        let full = |result: Result<()>| match result {
            Err(Error::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::StorageFull),
            other => panic!("{other:?}"),
        };
        full(file.write_all(&bytes).await);
        let written = file.stream_position().await? as usize;
        assert!(written > 0 && written < bytes.len());
        assert!(std::fs::read(&path)? == bytes[..written]);
        full(file.write_all(&bytes[written..]).await);
        // Room is made, and it goes on where it was.
        file.set_len(0).await?;
        file.rewind().await?;
        file.write_all(&bytes[..1000]).await?;
        file.sync_all().await?;
        assert!(std::fs::read(&path)? == bytes[..1000]);
        Ok(())
    })
    .unwrap();
}

// ---- Lines

#[test]
fn lines_and_other_reads_go_on_where_the_last_has_ended() {
    let (_guard, dir) = (Alone::start(), Dir::new("lines"));
    let long = "x".repeat(300_000);
    let path = dir.file(format!("one\r\ntwo\n\n{long}\nlast").as_bytes());
    run(async {
        let mut file = open_both(&path).await?;
        let mut lines = file.lines();
        assert_eq!(lines.next().await.unwrap()?, "one");
        assert_eq!(lines.next().await.unwrap()?, "two");
        assert_eq!(file.stream_position().await?, 9);
        let mut line = String::from("appended: ");
        assert_eq!(file.read_line(&mut line).await?, 1);
        assert_eq!(line, "appended: \n");
        assert_eq!(file.lines().next().await.unwrap()?, long);
        assert_eq!(all(&mut file).await?, "last");
        assert!(file.lines().next().await.is_none());
        assert_eq!(file.read_line(&mut line).await?, 0);
        // Written is where a line has ended, not where the read ahead has; and what was cut off is not read.
        file.rewind().await?;
        assert_eq!(file.lines().next().await.unwrap()?, "one");
        file.write_all(b"TWO").await?;
        let mut rest = Vec::new();
        file.read_until(b'\n', &mut rest).await?;
        assert_eq!(rest, b"\n");
        file.set_len(10).await?;
        assert_eq!(all(&mut file).await?, "\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_line_that_is_no_text_is_still_to_be_read() {
    let (_guard, dir) = (Alone::start(), Dir::new("no-text"));
    let path = dir.file(b"gr\xfcn\nblau\n");
    run(async {
        let mut file = File::open(&path).await?;
        for _ in 0..2 {
            let mut line = String::new();
            let error = file.read_line(&mut line).await.unwrap_err();
            assert!(
                matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::InvalidData),
                "{error:?}"
            );
            assert!(line.is_empty());
            assert!(file.lines().next().await.unwrap().is_err());
        }
        let mut bytes = Vec::new();
        file.read_until(b'\n', &mut bytes).await?;
        assert_eq!(bytes, b"gr\xfcn\n");
        assert_eq!(all(&mut file).await?, "blau\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn lines_that_are_interrupted_at_random_are_all_read_once() {
    let (_guard, dir) = (Alone::start(), Dir::new("random-lines"));
    let text: String = (0..3_000)
        .map(|n| format!("{n}{}\n", "x".repeat((n * 7919) % 500 * (n % 50 / 49 * 400 + 1))))
        .collect();
    let path = dir.file(text.as_bytes());
    run(async {
        let mut file = File::open(&path).await?;
        let (mut back, mut interrupted, mut n) = (String::new(), 0, 0_u64);
        // Again, if the machine was too quick to be interrupted; the watchdog bounds it.
        while back.len() < text.len() || interrupted == 0 {
            if back.len() == text.len() {
                back.clear();
                file.rewind().await?;
            }
            n += 1;
            let limit = Duration::from_micros(n * 31 % 60);
            match n % 3 {
                0 => match timeout_after(limit, file.read_line(&mut back)).await {
                    Ok(_) => {}
                    Err(Error::Timeout(progress)) => {
                        assert_eq!(progress.bytes(), 0);
                        interrupted += 1;
                    }
                    Err(error) => return Err(error),
                },
                1 => {
                    // Dropped, not interrupted.
                    let mut lines = file.lines();
                    let (next, pause) = (Box::pin(lines.next()), Box::pin(yield_now()));
                    if let Either::Right((Some(line), _)) = select(pause, next).await {
                        back = back + &line? + "\n";
                    }
                }
                _ => {
                    let at = file.stream_position().await?;
                    assert_eq!(at, back.len() as u64);
                }
            }
        }
        assert!(back == text);
        Ok(())
    })
    .unwrap();
}

/// The function that panics has the file at its position, as every other: what was read ahead is there no more.
#[test]
fn after_a_panic_nothing_is_read_twice() {
    let (_guard, dir) = (Alone::start(), Dir::new("panic"));
    let path = dir.file(b"one\ntwo\nthree\n");
    run(async {
        let mut file = File::open(&path).await?;
        let mut line = String::new();
        file.read_line(&mut line).await?;
        let spilled = file
            .blocking(|_| -> io::Result<()> { panic!("spilled milk") })
            .await;
        assert!(
            spilled
                .unwrap_err()
                .to_string()
                .contains("panicked in its thread: spilled milk")
        );
        assert_eq!(all(&mut file).await?, "two\nthree\n");
        // Nor where nobody waits for it any more.
        file.rewind().await?;
        file.read_line(&mut line).await?;
        let (begun, begins) = std::sync::mpsc::channel();
        let spills = file.blocking(move |_| -> io::Result<()> {
            begun.send(()).unwrap();
            panic!("spilled milk")
        });
        let mut spills = Box::pin(spills);
        assert!(poll_immediate(&mut spills).await.is_none());
        begins.recv().unwrap();
        drop(spills);
        assert_eq!(all(&mut file).await?, "two\nthree\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn nothing_to_do_is_no_reason_to_let_nobody_run() {
    let (_guard, dir) = (Alone::start(), Dir::new("nothing"));
    let path = dir.file(b"one\ntwo\n");
    run(async {
        let mut file = open_both(&path).await?;
        lets_others_run(async || file.read_exact(&mut []).await.unwrap()).await?;
        lets_others_run(async || file.write_all(&[]).await.unwrap()).await?;
        lets_others_run(async || file.flush().await.unwrap()).await?;
        lets_others_run(async || {
            let file = File::from(std::fs::File::open(&path).unwrap());
            drop(file.into_std().await.unwrap());
        })
        .await
    })
    .unwrap();
}
