//! What it does to the program.

use super::*;

/// (Of how many tasks the kernel is asked something at once, and how long it shares its lock, the tests of `mirror` look at.)
#[test]
fn a_hundred_thousand_tasks_are_shown_in_part_and_stop_nobody() {
    const TASKS: usize = 100_000;
    let place = Place::new();
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    let program = Program::start(place.monitor(), move |end| async move {
        for _ in 0..TASKS {
            spawn(sleep(Duration::from_secs(1000)));
        }
        yield_now().await?;
        while !end.load(Ordering::Relaxed) {
            counted.fetch_add(1, Ordering::Relaxed);
            spawn(async {}).join().await?;
        }
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("TIME_SLEEP").count() == 199);
    assert!(
        table.contains(&format!("... and {} more: ", TASKS + 1 - 200)),
        "{}",
        table.len()
    );
    let shown = client.ask("ps all").matches(" TIME_SLEEP").count();
    assert!((TASKS..TASKS + 2).contains(&shown), "{shown}");
    assert!(client.ask("tree").contains(" more: "));
    let shown = client.ask("tree all").matches(" TIME_SLEEP").count();
    assert!((TASKS..TASKS + 2).contains(&shown), "{shown}");
    assert!(client.ask("ps --json").lines().count() >= TASKS + 2);
    // Of this, the kernel is asked, again and again. It goes on meanwhile.
    let before = runs.load(Ordering::Relaxed);
    let locks = client.ask_kernel("locks");
    assert!(locks.lines().count() <= 2, "{locks}");
    assert!(runs.load(Ordering::Relaxed) > before);
    program.finish();
}

/// For how long this thread has worked so far. (Wall time says what else the machine does, too.)
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Says how long the kernel is kept from its tasks, and fails for nothing. The essay of `monitor` has what it has said.
#[test]
#[ignore = "it measures"]
fn how_long_the_kernel_is_kept() {
    let place = Place::new();
    let longest = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let runs = Arc::new(AtomicU64::new(0));
    let (gaps, counted) = (longest.clone(), runs.clone());
    let program = Program::start(place.monitor(), move |end| async move {
        for _ in 0..100_000 {
            spawn(sleep(Duration::from_secs(1000)));
        }
        yield_now().await?;
        let start = Instant::now();
        let times = || [worked(), start.elapsed()];
        let mut last = times();
        while !end.load(Ordering::Relaxed) {
            spawn(async {}).join().await?;
            let now = times();
            for (n, longest) in gaps.iter().enumerate() {
                longest.fetch_max((now[n] - last[n]).as_nanos() as u64, Ordering::Relaxed);
            }
            last = now;
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    client.ask_until("ps", |table| table.matches("TIME_SLEEP").count() == 199);
    let trace = format!("trace on {}", place.directory.join("trace").display());
    println!(
        "longest gap between two runs of a task, in microseconds of the thread's own time and of all time"
    );
    for command in [
        "about",
        "ps",
        "ps all",
        "ps --json",
        "tree all",
        "locks",
        "top",
        "top",
        &trace,
        "trace off",
    ] {
        longest
            .iter()
            .for_each(|longest| longest.store(0, Ordering::Relaxed));
        let before = runs.load(Ordering::Relaxed);
        client.ask(command);
        while runs.load(Ordering::Relaxed) < before + 10 {
            thread::sleep(Duration::from_millis(1));
        }
        let [own, all] = longest
            .each_ref()
            .map(|longest| longest.load(Ordering::Relaxed) / 1000);
        println!("{:<10} {own:>8} {all:>8}", command.split(" /").next().unwrap());
    }
    program.finish();
}

/// A program of tasks that talk, lock, are cancelled and time out; what it gives is what happened, in order.
async fn story() -> Result<Vec<String>> {
    let said = Rc::new(std::cell::RefCell::new(Vec::new()));
    let queue = Queue::bounded(2);
    let lock = Lock::new(0);
    let sec = Duration::from_secs(1);
    let say = {
        let said = said.clone();
        move |what: String| said.borrow_mut().push(what)
    };
    let makers: Vec<_> = (0..3)
        .map(|n| {
            let (queue, lock, say) = (queue.clone(), lock.clone(), say.clone());
            spawn(async move {
                for item in 0..5 {
                    queue.put(10 * n + item).await?;
                    let mut count = lock.lock().await?;
                    sleep(sec / 10).await?;
                    *count += 1;
                    say(format!("{n} has put {item}, the {count}th"));
                }
                Ok(())
            })
        })
        .collect();
    let taker = spawn({
        let (queue, say) = (queue.clone(), say.clone());
        async move {
            loop {
                let item = queue.get().await?;
                say(format!("got {item}"));
                yield_now().await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        }
    });
    let raced = TaskGroup::any()
        .scope(async |group| {
            for n in 1..4 {
                group.spawn(async move { sleep(n * sec).await.map(|()| n) });
            }
            Ok(())
        })
        .await;
    say(format!("raced: {}", raced.is_ok()));
    let never = Event::new();
    say(format!("{:?}", timeout_after(sec, never.wait()).await.is_err()));
    for maker in makers {
        maker.join().await?;
    }
    taker.cancel().await?;
    Ok(said.take())
}

#[test]
fn it_does_not_change_what_programs_do() {
    let place = Place::new();
    let run = |seed, monitor: Option<Monitor>| {
        let mut builder = Kernel::builder().clock(Clock::Virtual).seed(seed);
        if let Some(monitor) = monitor {
            builder = builder.monitor(monitor);
        }
        let kernel = builder.build().unwrap();
        let told = kernel.run(story()).unwrap();
        assert_eq!(
            format!("{kernel:?}"),
            "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
        );
        told
    };
    let ended = Arc::new(AtomicBool::new(false));
    let looked = Arc::new(AtomicU64::new(0));
    let onlooker = thread::spawn({
        let (ended, looked, socket) = (ended.clone(), looked.clone(), place.socket());
        move || {
            let mut n = 0;
            while !ended.load(Ordering::Relaxed) {
                let Ok(mut stream) = UnixStream::connect(&socket) else {
                    continue;
                };
                n += 1;
                let id = 3 + n % 8;
                let lines = format!(
                    "ps\nwhere {id}\nwhere {}\ntree\nlocks\ntop\nparents {id}\nquit\n",
                    id + 1
                );
                if stream.write_all(lines.as_bytes()).is_err() {
                    continue;
                }
                let mut said = String::new();
                let _ = stream.read_to_string(&mut said);
                looked.fetch_add(said.contains("Curio Monitor").into(), Ordering::Relaxed);
            }
        }
    });
    // A run is over so soon that not every one is seen.
    let was_seen = |seed: &u64| *seed < 1000 || looked.load(Ordering::Relaxed) < 50;
    for seed in (0..).take_while(was_seen) {
        assert_eq!(run(seed, Some(place.monitor())), run(seed, None), "seed {seed}");
    }
    ended.store(true, Ordering::Relaxed);
    onlooker.join().unwrap();
}

#[test]
fn what_happens_is_recorded_from_then_on() {
    let place = Place::new();
    let items = Arc::new(AtomicU64::new(0));
    let counted = items.clone();
    let program = Program::start(place.monitor(), |end| async move {
        let queue = Queue::bounded(1);
        let other = queue.clone();
        task(async move {
            loop {
                other.get().await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        })
        .name("taker")
        .spawn();
        task(timeout_after(
            Duration::from_secs(500),
            std::future::pending::<Result<()>>(),
        ))
        .spawn();
        while !end.load(Ordering::Relaxed) {
            let n = counted.fetch_add(1, Ordering::Relaxed);
            queue.put(n).await?;
            if n.is_multiple_of(3) {
                sleep(Duration::from_millis(1)).await?;
            }
        }
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    for round in 0..3 {
        let file = place.directory.join(format!("trace{round}"));
        let shown = file.display();
        client.ask_until("ps", |table| table.contains("taker"));
        assert_eq!(
            client.ask(&format!("trace on {shown}")),
            format!("Recording to {shown}\n")
        );
        assert!(client.ask("trace on /nowhere/else").starts_with("A recording"));
        let before = items.load(Ordering::Relaxed);
        while items.load(Ordering::Relaxed) < before + 20 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(client.ask("trace off"), "The recording has ended.\n");
        let again = client.ask(&format!("trace on {shown}"));
        assert!(again.contains("exists"), "nothing is overwritten: {again}");
        let trace = fs::read_to_string(&file).unwrap();
        assert!(trace.lines().count() > 20, "{trace}");
        if let Err(error) = trace_checker::check(&trace) {
            let _ = fs::write("/dev/stderr", &trace);
            panic!("round {round}: {error}");
        }
    }
    program.finish();
}

/// A disk, until this is dropped.
#[cfg(target_os = "linux")]
struct Mounted(PathBuf);

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Who has asked for a recording is told that it is not whole; and the program goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_recording_for_which_there_is_no_room() {
    let place = Place::new();
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "size=16k", "none"])
        .arg(&place.directory);
    if !mount.output().is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: only root can make a disk that is full");
        return;
    }
    let _mounted = Mounted(place.directory.clone());
    let turns = Arc::new(AtomicU64::new(0));
    let counted = turns.clone();
    let program = Program::start(place.monitor(), |end| async move {
        while !end.load(Ordering::Relaxed) {
            counted.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await?;
        }
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let file = place.directory.join("trace");
    assert!(
        client
            .ask(&format!("trace on {}", file.display()))
            .starts_with("Recording to ")
    );
    let before = turns.load(Ordering::Relaxed);
    while turns.load(Ordering::Relaxed) < before + 1_000 {
        thread::sleep(Duration::from_millis(1));
    }
    let answer = client.ask("trace off");
    let begin = "The recording has ended.\nSomething is missing from it: No space left on device";
    assert!(answer.starts_with(begin), "{answer}");
    program.finish();
}
