//! Who gets in, and where.

use super::*;

#[test]
fn the_socket_is_the_users_alone() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let socket = fs::metadata(place.socket()).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o600);
    if socket.uid() != 0 {
        eprintln!("skipped: only root can try to come as somebody else");
        return program.finish();
    }
    // Whoever gets past the permissions is still asked for their name.
    fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&place.directory, fs::Permissions::from_mode(0o755)).unwrap();
    let nc = |user: u32| {
        let mut nc = Command::new("nc");
        nc.args(["-N", "-U"])
            .arg(place.socket())
            .uid(user)
            .stdin(Stdio::null());
        nc.output()
    };
    let (Ok(ours), Ok(theirs)) = (nc(0), nc(65534)) else {
        eprintln!("skipped: there is no nc");
        return program.finish();
    };
    assert!(
        String::from_utf8_lossy(&ours.stdout).contains("Curio Monitor"),
        "{ours:?}"
    );
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), "", "{theirs:?}");
    program.finish();
}

pub(super) fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

pub(crate) fn over_tcp(address: SocketAddr) -> Client<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
    Client::new(stream)
}

#[test]
fn over_tcp_one_can_look_but_not_touch() {
    let place = Place::new();
    let address = free_port();
    let program = Program::hanging(place.monitor().tcp(address));
    let mut client = over_tcp(address);
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let kid = row(&table, "kid")[0];
    for command in [
        &*format!("cancel {kid}"),
        "signal SIGKILL",
        "trace on /tmp/x",
        "trace off",
    ] {
        assert!(client.ask(command).starts_with("This is for those"), "{command}");
    }
    assert!(client.ask("ps").contains("kid"));
    assert!(client.ask(&format!("w {kid}")).contains("TIME_SLEEP"));
    program.finish();
}

#[test]
fn over_tcp_one_can_touch_if_that_was_allowed() {
    let place = Place::new();
    let address = free_port();
    let program = Program::hanging(place.monitor().tcp(address).allow_control());
    let mut client = over_tcp(address);
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let kid = row(&table, "kid")[0];
    client.ask(&format!("cancel {kid}"));
    client.ask_until("ps", |table| !table.contains("kid"));
    // A web page cannot, whatever it makes a browser say.
    let mut page = over_tcp(address);
    page.say("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nsignal SIGKILL");
    assert!(page.answer().ends_with("<end>"));
    program.finish();
}

#[test]
fn nobody_comes_over_tcp_unless_that_was_asked_for() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let inodes: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_string(),
            )
        })
        .collect();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let table = fs::read_to_string(table).unwrap_or_default();
        let ours = |line: &&str| {
            line.split_whitespace()
                .nth(9)
                .is_some_and(|inode| inodes.iter().any(|ours| ours == inode))
        };
        assert_eq!(table.lines().skip(1).find(ours), None);
    }
    let outside = Monitor::new()
        .socket(place.directory.join("other"))
        .tcp(([0, 0, 0, 0], 0));
    let error = Kernel::builder().monitor(outside).build().unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::InvalidInput));
    program.finish();
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_that_is_used_is_not() {
    let place = Place::new();
    // The file stays when the listener goes, as after a kill.
    drop(UnixListener::bind(place.socket()).unwrap());
    assert!(place.socket().exists());
    let program = Program::hanging(place.monitor());
    assert!(Local::connect(&place.socket()).ask("ps").contains("kernel"));
    let error = Kernel::builder().monitor(place.monitor()).build().unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::AddrInUse));
    assert!(Local::connect(&place.socket()).ask("ps").contains("kernel"));
    program.finish();
    assert!(!place.socket().exists(), "it goes with its kernel");
    // What is no socket is not touched.
    fs::write(place.socket(), "precious").unwrap();
    assert!(Kernel::builder().monitor(place.monitor()).build().is_err());
    assert_eq!(fs::read_to_string(place.socket()).unwrap(), "precious");
}

/// Where the sockets are that `curio-monitor` finds.
fn directory() -> PathBuf {
    let user = fs::metadata("/proc/self").unwrap().uid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(|path| PathBuf::from(path).join("curio"));
    runtime
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/curio-{user}")))
}

#[test]
fn two_kernels_of_a_program_are_told_apart() {
    let _place = Place::new();
    let first = Kernel::builder().monitor(Monitor::new()).build().unwrap();
    let second = Kernel::builder().monitor(Monitor::new()).build().unwrap();
    let directory = directory();
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
    let process = std::process::id();
    let sockets = [format!("{process}.sock"), format!("{process}.2.sock")].map(|name| directory.join(name));
    first.spawn(async {});
    assert!(Local::connect(&sockets[0]).banner.contains("3 tasks"));
    assert!(Local::connect(&sockets[1]).banner.contains("2 tasks"));
    drop(first);
    assert!(!sockets[0].exists() && sockets[1].exists());
    drop(second);
    assert!(!sockets[1].exists());
}

#[test]
fn netcat_and_socat_will_do() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let socket = place.socket();
    let commands: [(&str, Vec<String>); 2] = [
        ("nc", vec!["-N".into(), "-U".into(), socket.display().to_string()]),
        ("socat", vec!["-".into(), format!("UNIX:{}", socket.display())]),
    ];
    for (name, arguments) in commands {
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: there is no {name}");
            continue;
        };
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("Curio Monitor") {
            line.clear();
            output.read_line(&mut line).unwrap();
        }
        input.write_all(b"ps\n").unwrap();
        while !line.contains("kid") {
            line.clear();
            output.read_line(&mut line).unwrap();
        }
        input.write_all(b"quit\n").unwrap();
        assert!(child.wait().unwrap().success());
    }
    program.finish();
}

/// As with one kernel per core: a socket comes into being in two steps, and goes in two.
#[test]
fn kernels_that_begin_and_end_at_the_same_time_keep_their_sockets() {
    const THREADS: usize = 8;
    let _place = Place::new();
    let barrier = std::sync::Barrier::new(THREADS);
    let directory = directory();
    let sockets = || {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path();
        let ours = format!("{}.", std::process::id());
        let all = fs::read_dir(&directory).unwrap().map(name);
        all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&ours))
            .collect::<Vec<_>>()
    };
    let missing = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..50 {
                    let kernel = Kernel::builder().monitor(Monitor::new()).build().unwrap();
                    if barrier.wait().is_leader() {
                        let sockets = sockets();
                        let answer = sockets
                            .iter()
                            .filter(|socket| UnixStream::connect(socket).is_ok());
                        missing.fetch_add((THREADS - answer.count()) as u64, Ordering::Relaxed);
                    }
                    barrier.wait();
                    // Some end while others begin.
                    drop(kernel);
                    drop(Kernel::builder().monitor(Monitor::new()).build().unwrap());
                }
            });
        }
    });
    assert_eq!(missing.into_inner(), 0);
    assert_eq!(sockets(), Vec::<PathBuf>::new());
}

/// Whoever starts such a program sets its environment, and must not get its rights by that.
#[test]
fn a_program_with_more_rights_than_its_user_does_not_ask_the_environment() {
    const CHILD: &str = "CURIO_MONITOR_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let user = fs::metadata("/proc/self").unwrap().uid();
        return println!("user {user}: {:?}", Monitor::from_env().is_some());
    }
    let place = Place::new();
    if fs::metadata(&place.directory).unwrap().uid() != 0 {
        return eprintln!("skipped: only root can give a program to somebody else");
    }
    fs::set_permissions(&place.directory, fs::Permissions::from_mode(0o755)).unwrap();
    let program = place.directory.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let ask = |user: u32, mode: u32| {
        std::os::unix::fs::chown(&program, Some(user), Some(user)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let mut child = Command::new(&program);
        child
            .args(["--exact", "--nocapture"])
            .arg("doors::a_program_with_more_rights_than_its_user_does_not_ask_the_environment")
            .env("CURIOMONITOR", "1")
            .env(CHILD, "1");
        String::from_utf8(child.output().unwrap().stdout).unwrap()
    };
    let (ours, theirs) = (ask(0, 0o755), ask(65534, 0o4755));
    assert!(ours.contains("user 0: true"), "{ours}");
    if theirs.contains("user 0: ") {
        return eprintln!("skipped: programs get no rights there");
    }
    assert!(theirs.contains(": false"), "{theirs}");
}

/// If there are too few descriptors for a monitor that only the environment asks for, there is none. (While the kernel is made,
/// the monitor's socket is there.)
#[test]
fn a_monitor_that_only_the_environment_wants_keeps_no_program_from_running() {
    const CHILD: &str = "CURIO_MONITOR_FILES";
    if std::env::var_os(CHILD).is_some() {
        let least = (0..20).find(|&left| {
            let mut files: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
            files.truncate(files.len() - left);
            let kernel = Kernel::new();
            kernel.is_ok_and(|kernel| kernel.run(async {}).is_ok())
        });
        return println!("\n{}", least.expect("the kernel was never made"));
    }
    let _place = Place::new();
    let ask = |monitor: &str| {
        let mut child = Command::new("sh");
        child
            .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg("doors::a_monitor_that_only_the_environment_wants_keeps_no_program_from_running")
            .env("CURIOMONITOR", monitor)
            .env(CHILD, "1");
        let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
        let least = said.lines().find_map(|line| line.parse::<usize>().ok());
        least.unwrap_or_else(|| panic!("{said}"))
    };
    assert_eq!(ask("1"), ask("0") + 1);
}
