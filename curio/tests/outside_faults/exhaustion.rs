//! No descriptor left, no room left on the disk. It is said, nothing is left half done, and when there is room again all goes
//! on.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream as StdStream;
use std::path::Path;
use std::time::Duration;

use curio::file::{File, OpenOptions};
use curio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, lookup_host};
use curio::stream::FileStream;
use curio::{
    Error, Kernel, Result, UniversalQueue, run_in_thread, run_server, sleep, spawn, timeout_after, yield_now,
};
use futures::future::poll_immediate;

use crate::common::{Alone, counted, descriptors, run};
use crate::{Random, process};

/// All descriptors but so many are taken while this lives.
struct Taken {
    _files: Vec<fs::File>,
}

impl Taken {
    fn all_but(n: usize) -> Taken {
        let mut files = Vec::new();
        let error = loop {
            match fs::File::open("/dev/null") {
                Ok(file) => files.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(24), "{error}");
        files.truncate(files.len() - n);
        Taken { _files: files }
    }
}

/// It was refused for lack of descriptors.
#[track_caller]
fn is_refused<T: std::fmt::Debug>(result: Result<T>) {
    match result {
        Err(Error::Io(error)) => {
            assert!(error.to_string().contains("Too many open files"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// Runs a program which may have few descriptors, in a process of its own.
#[track_caller]
fn with_few_descriptors(name: &str, program: impl FnOnce()) -> String {
    process("ulimit -n 64; exec \"$@\"", name, program).expect("the shell can set a limit")
}

#[test]
fn a_kernel_without_descriptors() {
    with_few_descriptors("exhaustion::a_kernel_without_descriptors", || {
        let _guard = Alone::start();
        let before = descriptors().len();
        let mut built = 0;
        for n in 0..8 {
            let taken = Taken::all_but(n);
            match Kernel::new() {
                Ok(kernel) => {
                    built += 1;
                    assert_eq!(kernel.run(async { Ok(7) }).unwrap(), 7);
                    kernel.shutdown().unwrap();
                }
                Err(error) => {
                    assert_eq!(built, 0, "fewer descriptors were enough");
                    is_refused(Err::<(), _>(error));
                    is_refused(curio::run(async { Ok(()) }));
                }
            }
            drop(taken);
            assert_eq!(descriptors().len(), before, "with {n} descriptors");
        }
        assert!((1..8).contains(&built), "{built} shows nothing");
    });
}

#[test]
fn connections_and_files_without_descriptors() {
    with_few_descriptors("exhaustion::connections_and_files_without_descriptors", || {
        let _guard = Alone::start();
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let path = std::env::temp_dir().join(format!("curio-exhausted-{}", std::process::id()));
            let unix = UnixListener::bind(&path)?;
            let waits = StdStream::connect(addr)?;
            run_in_thread(|| ()).await?;
            let before = descriptors().len();

            let taken = Taken::all_but(0);
            is_refused(listener.accept().await);
            is_refused(TcpListener::bind("127.0.0.1:0"));
            is_refused(TcpStream::connect(addr).await);
            is_refused(UdpSocket::bind("127.0.0.1:0"));
            is_refused(UnixStream::connect(&path).await);
            is_refused(UnixStream::pair());
            is_refused(
                unix.local_addr()
                    .and_then(|_| UnixListener::bind(path.with_extension("2"))),
            );
            is_refused(File::open("Cargo.toml").await);
            is_refused(File::create(path.with_extension("3")).await);
            // What needs none goes on.
            assert_eq!(run_in_thread(|| 7).await?, 7);
            sleep(Duration::from_micros(1)).await?;
            let queue = UniversalQueue::new();
            let thread = std::thread::spawn({
                let queue = queue.clone();
                move || queue.blocking_put(7)
            });
            assert_eq!(queue.get().await?, 7);
            thread.join().unwrap()?;
            drop(taken);
            assert_eq!(descriptors().len(), before);

            // With one, some get it, and none is lost where it does not suffice.
            let taken = Taken::all_but(1);
            is_refused(UnixStream::pair());
            drop(TcpStream::connect(addr).await?);
            drop(File::open("Cargo.toml").await?);
            drop(taken);
            assert_eq!(descriptors().len(), before);

            // The connection is where it was.
            let (stream, from) = listener.accept().await?;
            assert_eq!(from, waits.local_addr()?);
            drop((waits, stream));
            fs::remove_file(&path)?;
            // A name needs a descriptor or two, too. What it says without is the system's affair.
            let taken = Taken::all_but(0);
            let _ = lookup_host(("localhost", 80)).await;
            drop(taken);
            lookup_host(("localhost", 80)).await?;
            Ok(())
        })
        .unwrap();
    });
}

/// The clients wait in the system's queue meanwhile. It is said once in a while, and not in a loop.
#[test]
fn a_server_without_descriptors() {
    let printed = with_few_descriptors("exhaustion::a_server_without_descriptors", || {
        let _guard = Alone::start();
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let server = spawn(run_server(listener, async |client: TcpStream, _| {
                let mut byte = [0];
                client.read_exact(&mut byte).await?;
                client.write_all(&byte).await
            }));
            let mut clients: Vec<_> = (0..5)
                .map(|_| StdStream::connect(addr))
                .collect::<io::Result<_>>()?;
            let taken = Taken::all_but(0);
            sleep(Duration::from_millis(50)).await?;
            drop(taken);
            for client in &mut clients {
                client.write_all(b"!")?;
                let mut client = client.try_clone()?;
                run_in_thread(move || client.read_exact(&mut [0])).await??;
            }
            server.cancel().await
        })
        .unwrap();
    });
    let said = printed.matches("a server cannot accept connections").count();
    if std::env::var(crate::NAME).is_err() {
        assert!((1..6).contains(&said), "{printed}");
    }
}

// ---- The disk

#[track_caller]
fn is_full<T: std::fmt::Debug>(result: Result<T>) {
    match result {
        Err(Error::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Runs a program with a small disk of its own. Where that is not permitted, it says so.
#[cfg(target_os = "linux")]
#[track_caller]
fn with_a_small_disk(name: &str, program: impl FnOnce(&Path)) {
    let folder = std::env::temp_dir();
    let mount = format!(
        "mount -t tmpfs -o size=512k curio-test {} || exit 1",
        folder.display()
    );
    let mut program = Some(program);
    for unshare in ["unshare -m", "unshare -rm"] {
        let shell = format!("exec {unshare} sh -c '{mount}; exec \"$@\"' sh \"$@\"");
        let run = || program.take().unwrap()(&folder);
        if process(&shell, name, run).is_some() {
            return;
        }
    }
    eprintln!("SKIPPED: it is not permitted to mount a small disk here");
}

#[cfg(target_os = "linux")]
#[test]
fn writes_that_are_interrupted_on_a_disk_that_gets_full() {
    with_a_small_disk(
        "exhaustion::writes_that_are_interrupted_on_a_disk_that_gets_full",
        |disk| {
            let data: Vec<u8> = (0..1_000_000u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect();
            for seed in 0..50 {
                let (mut random, path) = (Random(seed), disk.join("file"));
                run(async {
                    let mut file = File::create(&path).await?;
                    let mut done = 0;
                    loop {
                        let size = 1 + random.below(20_000) as usize;
                        let part = &data[done..data.len().min(done + size)];
                        let pause = Duration::from_micros(random.below(100));
                        match timeout_after(pause, file.write_all(part)).await {
                            Ok(()) => done += part.len(),
                            Err(Error::Timeout(progress)) => done += progress.bytes(),
                            Err(error) => {
                                is_full(Err::<(), _>(error));
                                break;
                            }
                        }
                    }
                    // What was said to be there is, and where the file stands the rest of it begins.
                    let written = file.stream_position().await? as usize;
                    assert!(done <= written && written < data.len(), "{done} {written}");
                    assert!(fs::read(&path)? == data[..written]);
                    is_full(file.write_all(&data[written..]).await);
                    // The end of it has nothing to add: it was said.
                    file.flush().await?;
                    file.sync_all().await?;
                    drop(file.into_std().await?);
                    fs::remove_file(&path)?;
                    Ok(())
                })
                .unwrap();
            }
        },
    );
}

/// Whatever becomes of the write, somebody is told.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_by_what_comes_next() {
    let _guard = Alone::start();
    let kernel = counted(Kernel::builder().max_worker_threads(1).build().unwrap());
    let ended = kernel.run(async {
        let full = || OpenOptions::new().read(true).write(true).open("/dev/full");
        let mut file = full().await?;
        is_full(file.write(b"data").await);
        is_full(file.write_all(b"data").await);

        // Begun and dropped: nobody has heard yet. So the next one says it, whichever it is, and once.
        for what in 0..4 {
            let mut file = full().await?;
            // The only worker is held until the write is in its queue, and done with it before we go on.
            let (release, released) = std::sync::mpsc::channel::<()>();
            let holder = spawn(run_in_thread(move || released.recv().is_err()));
            yield_now().await?;
            let mut write = Box::pin(file.write_all(b"data"));
            assert!(poll_immediate(&mut write).await.is_none());
            drop(release);
            holder.join().await?;
            run_in_thread(|| ()).await?;
            drop(write);
            match what {
                0 => is_full(file.flush().await),
                1 => is_full(file.sync_all().await),
                2 => is_full(file.into_std().await),
                _ => is_full(file.write_all(b"more").await),
            }
        }

        // Written as a stream: the system is asked at once, and nothing is kept back that a close could forget.
        let device = fs::OpenOptions::new().write(true).open("/dev/full")?;
        let mut stream = FileStream::open(device)?;
        is_full(stream.write_all(b"data").await);
        stream.flush().await?;
        stream.close()
    });
    ended.unwrap();
}

/// Standard output on a full disk: the program hears of it.
#[cfg(target_os = "linux")]
#[test]
fn what_a_program_prints_on_a_full_disk() {
    let name = "exhaustion::what_a_program_prints_on_a_full_disk";
    process("\"$@\" 3>/dev/full", name, || {
        let _guard = Alone::start();
        use std::os::fd::AsFd;
        let output = fs::OpenOptions::new().write(true).open("/dev/fd/3").unwrap();
        run(async {
            let mut output = FileStream::open(output.as_fd().try_clone_to_owned()?)?;
            is_full(output.write_all(b"hello\n").await);
            is_full(output.write_lines(["hello\n"]).await);
            Ok(())
        })
        .unwrap();
    });
}
