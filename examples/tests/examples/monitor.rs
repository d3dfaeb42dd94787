//! The dialogues with the monitor that are in Python Curio's tutorials, of 2015 and of 2018, in real terminals.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{Running, example};

/// Until the program hangs, it takes 15 seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// The client, which is in another package, so that it may have to be built.
fn client() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let test = env::current_exe().expect("this program has a path");
        let target = test.ancestors().nth(3).expect("a target directory");
        let built = Command::new(env!("CARGO"))
            // With its test, and from the top: so it is built of what `cargo test` has built already.
            .args([
                "build",
                "--quiet",
                "--bin",
                "curio-monitor",
                "--test",
                "pipe",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status();
        assert!(built.expect("cargo is there").success());
        target.join("debug/curio-monitor")
    })
}

/// A directory for the sockets of one test, as the user's runtime directory is. While it is there, nobody else has a socket
/// where the client looks, too.
struct Runtime(PathBuf, #[allow(dead_code)] Option<RwLockReadGuard<'static, ()>>);

/// Held for writing by a test whose sockets are elsewhere.
static ELSEWHERE: RwLock<()> = RwLock::new(());

impl Runtime {
    fn new() -> Runtime {
        let guard = ELSEWHERE.read().unwrap_or_else(PoisonError::into_inner);
        Runtime(Runtime::directory(), Some(guard))
    }

    fn directory() -> PathBuf {
        // Before anything runs that has its times.
        client();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("curio-runtime-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .expect("it can be made");
        path
    }

    fn sockets(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("curio")).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("readable").file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// The client, with what it wrote.
    fn ask(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(client());
        command.args(arguments).env("XDG_RUNTIME_DIR", &self.0);
        let finished = Running::start(&mut command).finish();
        (finished.status.code(), finished.stdout, finished.stderr)
    }

    /// To how many of the sockets somebody listens: one is there a moment before that.
    fn listening(&self) -> usize {
        let connects = |name: &String| UnixStream::connect(self.0.join("curio").join(name)).is_ok();
        self.sockets().iter().filter(|name| connects(name)).count()
    }

    /// Starts an example that has a monitor here.
    fn start(&self, command: &mut Command) -> Running {
        let before = self.listening();
        let running = Running::start(command.env("XDG_RUNTIME_DIR", &self.0));
        let start = Instant::now();
        while self.listening() == before {
            assert!(start.elapsed() < LIMIT, "nobody listens");
            thread::sleep(Duration::from_millis(5));
        }
        running
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A terminal with a program in it.
struct Terminal {
    server: String,
}

impl Terminal {
    /// None if there is no tmux to be had.
    fn open(runtime: &Runtime, program: &Path, arguments: &str) -> Option<Terminal> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal {
            server: format!("curio-{}-{count}", std::process::id()),
        };
        // The shell stays, to show what becomes of the program.
        let line = format!(
            "trap : INT; XDG_RUNTIME_DIR={} {} {arguments}; echo \"it ended with $?\"; sleep 1000",
            runtime.0.display(),
            program.display()
        );
        let started = terminal
            .command()
            .args(["-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "60"])
            .args(["sh", "-c", &line])
            .stdin(Stdio::null())
            .status();
        match started {
            Ok(status) if status.success() => Some(terminal),
            _ => {
                eprintln!("skipped: `tmux` does not start");
                None
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.server]);
        command
    }

    /// What is to be seen, without empty lines at the end.
    fn screen(&self) -> String {
        let shown = self.command().args(["capture-pane", "-p"]).output();
        let shown = shown.expect("tmux is there").stdout;
        String::from_utf8_lossy(&shown).trim_end().to_string()
    }

    /// Waits until something is to be seen.
    #[track_caller]
    fn wait_for(&self, what: &str) -> String {
        self.wait_until(what, |screen| screen.contains(what))
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(start.elapsed() < LIMIT, "{what:?} does not come:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types keys, by their names.
    fn press(&self, keys: &[&str]) {
        let sent = self.command().arg("send-keys").args(keys).status();
        assert!(sent.expect("tmux is there").success());
    }

    /// Types a line at the prompt, and waits for the next prompt. Gives what is in between.
    #[track_caller]
    fn ask(&self, line: &str) -> String {
        let before = self.prompts();
        self.press(&[line, "Enter"]);
        let screen = self.wait_until(line, |screen| count(screen) > before);
        let asked = format!("curio > {line}\n");
        let answer = screen.rsplit_once(&asked).expect("it is shown").1;
        answer.rsplit_once("curio >").expect("a prompt").0.to_string()
    }

    fn prompts(&self) -> usize {
        count(&self.screen())
    }
}

fn count(screen: &str) -> usize {
    screen.lines().filter(|line| line.starts_with("curio >")).count()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").stderr(Stdio::null()).status();
    }
}

fn path(example: Command) -> PathBuf {
    PathBuf::from(example.get_program())
}

/// What is in a table, cell by cell, but for numbers that change.
fn cells(table: &str) -> Vec<Vec<&str>> {
    table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect()
}

const HEADER: &str = "\
Task   State        Cycles     Timeout Sleep   Task                                               Where
------ ------------ ---------- ------- ------- -------------------------------------------------- -";

#[track_caller]
fn has_header(table: &str) {
    for (line, expected) in table.lines().zip(HEADER.lines()) {
        assert!(line.starts_with(expected), "{table}");
    }
}

/// "hello.py", of 2018: it hangs, and one looks at it from another window.
#[test]
fn the_program_that_hangs_is_looked_at_from_another_terminal() {
    let runtime = Runtime::new();
    let mut program = runtime.start(&mut example("kid_hang"));
    let Some(terminal) = Terminal::open(&runtime, client(), "") else {
        return;
    };
    let told = |program: &Running| program.line();
    for line in ["Building the Millenium Falcon in Minecraft", "Let's go"] {
        assert_eq!(told(&program), line);
    }
    for n in (1..=10).rev() {
        assert_eq!(told(&program), format!("T-minus {n}"));
    }
    assert_eq!(told(&program), "We're leaving!");
    let screen = terminal.wait_for("curio >");
    assert_eq!(
        screen,
        "\nCurio Monitor: 4 tasks running\nType help for commands\ncurio >"
    );
    let table = terminal.ask("ps");
    has_header(&table);
    let rows = cells(&table);
    assert_eq!(rows.len(), 6, "{table}");
    assert_eq!((rows[2][0], rows[2][1], rows[2][5]), ("1", "READ_WAIT", "kernel"));
    assert_eq!(
        (rows[3][0], rows[3][1], rows[3][5]),
        ("2", "FUTURE_WAIT", "monitor")
    );
    assert_eq!(rows[4][..6], ["3", "TASK_JOIN", "3", "None", "None", "parent"]);
    assert!(rows[4][6].starts_with("examples/kid_hang.rs:"), "{table}");
    assert_eq!(rows[5][..4], ["4", "TIME_SLEEP", "1", "None"]);
    let left = rows[5][4].parse::<f64>().expect("a number");
    assert!(rows[5][4].len() == 7 && (900.0..986.0).contains(&left), "{table}");
    assert_eq!(rows[5][5], "kid");
    for (line, head, place) in [
        (
            "w 3",
            "Stack for Task(id=3, name='parent', state='TASK_JOIN') (most recent call last):",
            "in parent",
        ),
        (
            "w 4",
            "Stack for Task(id=4, name='kid', state='TIME_SLEEP') (most recent call last):",
            "in kid",
        ),
    ] {
        let stack = terminal.ask(line);
        assert!(stack.starts_with(head), "{stack}");
        let called = stack.lines().nth(1).expect("a frame");
        assert!(called.trim_start().starts_with("File \""), "{stack}");
        assert!(
            called.contains("kid_hang.rs\", line ") && called.ends_with(place),
            "{stack}"
        );
    }
    // The kernel runs on underneath.
    let sleep = |table: &str| cells(table)[5][4].parse::<f64>().expect("a number");
    assert!(sleep(&terminal.ask("ps")) < sleep(&table));
    assert!(program.is_alive());
    terminal.press(&["cancel 4", "Enter"]);
    let screen = terminal.wait_for("it ended with 0");
    assert!(
        screen.contains("curio > cancel 4\nCancelling task 4\n"),
        "{screen}"
    );
    assert!(
        screen.contains("*** Connection closed by remote host ***\n"),
        "{screen}"
    );
    assert_eq!(program.line(), "Leaving!");
    let finished = program.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(runtime.sockets(), [""; 0]);
}

/// "hello.py", of 2015: Ctrl-C enters the monitor.
#[test]
fn ctrl_c_enters_the_monitor() {
    let runtime = Runtime::new();
    let program = path(example("kid_hang"));
    let Some(terminal) = Terminal::open(&runtime, &program, "--ctrl-c") else {
        return;
    };
    terminal.wait_for("We're leaving!");
    terminal.press(&["C-c"]);
    let screen = terminal.wait_for("curio >");
    let banner = "We're leaving!\n^C\nCurio Monitor: 4 tasks running\nType help for commands\ncurio >";
    assert!(screen.ends_with(banner), "{screen}");
    let table = terminal.ask("ps");
    has_header(&table);
    let rows = cells(&table);
    assert_eq!((rows[2][0], rows[2][1], rows[2][5]), ("1", "READ_WAIT", "kernel"));
    assert_eq!((rows[3][0], rows[3][1], rows[3][5]), ("2", "RUNNING", "monitor"));
    assert_eq!((rows[4][1], rows[4][5]), ("TASK_JOIN", "parent"));
    assert_eq!((rows[5][1], rows[5][5]), ("TIME_SLEEP", "kid"));
    assert!(terminal.ask("where 3").contains("state='TASK_JOIN'"));
    assert!(terminal.ask("where 4").contains("in kid"));
    // Leaving goes on, and one can come back.
    terminal.press(&["quit", "Enter"]);
    terminal.wait_for("Leaving monitor.");
    terminal.press(&["C-c"]);
    terminal.wait_until("a second banner", |screen| {
        screen.matches("Curio Monitor:").count() == 2 && screen.ends_with("curio >")
    });
    terminal.press(&["cancel 4", "Enter"]);
    let screen = terminal.wait_for("it ended with 0");
    assert!(
        screen.contains("curio > cancel 4\nCancelling task 4\n"),
        "{screen}"
    );
    // The prompt may come in between: it is the program that says this.
    let after = screen
        .rsplit_once("Cancelling task 4\n")
        .map(|(_, after)| after.replace("curio > ", ""));
    assert!(
        after.is_some_and(|after| after.starts_with("Leaving!\n")),
        "{screen}"
    );
}

#[test]
fn a_second_ctrl_c_ends_the_program_in_an_orderly_way() {
    let runtime = Runtime::new();
    let program = path(example("kid_hang"));
    let Some(terminal) = Terminal::open(&runtime, &program, "--ctrl-c") else {
        return;
    };
    terminal.wait_for("Building the Millenium Falcon");
    terminal.press(&["C-c"]);
    terminal.wait_for("curio >");
    terminal.press(&["C-d"]);
    terminal.wait_for("Let's go");
    terminal.press(&["C-c"]);
    terminal.wait_until("a second banner", |screen| {
        screen.matches("Curio Monitor:").count() == 2
    });
    terminal.press(&["C-c"]);
    terminal.wait_for("it ended with 130");
}

/// The kid computes, and nobody else can do anything: but one can look.
#[test]
fn the_program_that_hogs_the_thread_is_looked_at() {
    let runtime = Runtime::new();
    let program = runtime.start(&mut example("kid_fib"));
    while program.line() != "Building the Millenium Falcon in Minecraft" {}
    let Some(terminal) = Terminal::open(&runtime, client(), "") else {
        return;
    };
    let screen = terminal.wait_for("curio >");
    assert_eq!(
        screen,
        "\nCurio Monitor: 7 tasks running\nType help for commands\ncurio >"
    );
    let table = terminal.ask("ps");
    has_header(&table);
    let rows = cells(&table);
    assert_eq!(rows.len(), 9, "{table}");
    assert_eq!((rows[4][0], rows[4][1], rows[4][5]), ("3", "TASK_JOIN", "parent"));
    assert_eq!((rows[5][0], rows[5][1], rows[5][5]), ("4", "RUNNING", "kid"));
    for (n, friend) in rows[6..].iter().enumerate() {
        let id = (5 + n).to_string();
        assert_eq!(
            friend[..],
            [&id, "READY", "0", "None", "None", "friend"],
            "{table}"
        );
    }
    let stack = terminal.ask("w 4");
    let head = "Stack for Task(id=4, name='kid', state='RUNNING') (most recent call last):\n";
    assert!(stack.starts_with(head), "{stack}");
    if cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )) {
        // (In a build for debugging, that is where it always is.)
        assert!(
            stack.contains("kid_fib.rs\", line 3") && stack.contains(", in fib\n"),
            "{stack}"
        );
    }
    terminal.press(&["signal SIGKILL", "Enter"]);
    let screen = terminal.wait_for("it ended with 0");
    assert!(
        screen.contains("curio > signal SIGKILL\n*** Connection closed by remote host ***\n"),
        "{screen}"
    );
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(program.finish().status.signal(), Some(9));
    // What it has left behind is cleared away.
    assert_eq!(runtime.sockets().len(), 1);
    let (code, _, errors) = runtime.ask(&[]);
    assert_eq!(code, Some(1));
    assert!(
        errors.starts_with("curio-monitor: no program with a monitor runs"),
        "{errors}"
    );
    assert_eq!(runtime.sockets(), [""; 0]);
}

/// Nothing need be rebuilt, and several programs are told apart.
#[test]
fn any_program_has_a_monitor_that_is_started_so() {
    let runtime = Runtime::new();
    let first = runtime.start(example("kid").env("CURIOMONITOR", "1"));
    let second = runtime.start(example("kid_friends").env("CURIOMONITOR", "1"));
    first.line();
    second.line();
    let (code, list, _) = runtime.ask(&[]);
    assert_eq!(code, Some(0), "{list}");
    let rows = cells(&list);
    assert_eq!(rows[0], ["Process", "Tasks", "Command"]);
    assert_eq!(rows.len(), 3, "{list}");
    let of = |name: &str| {
        rows.iter()
            .find(|row| row[2].ends_with(name))
            .expect("it is there")[0]
    };
    let (code, table, errors) = runtime.ask(&[of("/kid_friends"), "ps", "friend"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{table}");
    assert!(
        table.starts_with(HEADER.lines().next().expect("a line")),
        "{table}"
    );
    assert!(!table.contains("curio >"), "{table}");
    assert_eq!(table.matches(" friend ").count(), 3, "{table}");
    let (_, tree, _) = runtime.ask(&[of("/kid"), "tree"]);
    assert!(
        tree.starts_with("3 parent ") && tree.contains("└─ 4 kid "),
        "{tree}"
    );
    let (_, top, _) = runtime.ask(&[of("/kid"), "top"]);
    assert!(top.starts_with("2 tasks, "), "{top}");
    // Which of them?
    let (code, list, errors) = runtime.ask(&["ps"]);
    assert_eq!(
        (code, errors.as_str()),
        (Some(1), "curio-monitor: which of them?\n")
    );
    assert_eq!(cells(&list).len(), 3);
    let (code, _, errors) = runtime.ask(&["999999999", "ps"]);
    assert_eq!(
        (code, errors.as_str()),
        (Some(1), "curio-monitor: the process 999999999 has no monitor\n")
    );
    for off in ["", "0"] {
        let mut quiet = example("hello");
        quiet.env("CURIOMONITOR", off).env("XDG_RUNTIME_DIR", &runtime.0);
        let quiet = Running::start(&mut quiet);
        quiet.line();
        assert_eq!(runtime.sockets().len(), 2, "{off:?}");
    }
}

/// One that has become somebody else's, or in which no socket can be made: then there is another.
#[test]
fn a_runtime_directory_that_is_of_no_use_is_not_used() {
    type Spoil = fn(&Path);
    let useless: [(&str, Spoil); 3] = [
        ("no directory is in it", |path| {
            fs::write(path.join("curio"), "").expect("it can be written")
        }),
        ("it is closed", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o500)).expect("it is ours");
        }),
        ("it is nobody's", |path| {
            // Only root can do that.
            let _ = std::os::unix::fs::chown(path, Some(65534), None);
        }),
    ];
    let _guard = ELSEWHERE.write().unwrap_or_else(PoisonError::into_inner);
    for (why, spoil) in useless {
        let runtime = Runtime(Runtime::directory(), None);
        spoil(&runtime.0);
        let mut command = example("kid");
        command
            .env("CURIOMONITOR", "1")
            .env("XDG_RUNTIME_DIR", &runtime.0);
        let program = Running::start(&mut command);
        program.line();
        let process = program.id().to_string();
        let (code, table, errors) = runtime.ask(&[&process, "ps"]);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{why}");
        assert!(table.contains(" kid "), "{why}: {table}");
        drop(program);
        let _ = fs::set_permissions(&runtime.0, fs::Permissions::from_mode(0o700));
    }
    // Their paths are too long for sockets.
    let runtime = Runtime(Runtime::directory(), None);
    let deep = Runtime(runtime.0.join("x".repeat(100)), None);
    fs::create_dir(&deep.0).expect("it can be made");
    let program = Running::start(
        example("kid")
            .env("CURIOMONITOR", "1")
            .env("XDG_RUNTIME_DIR", &deep.0),
    );
    program.line();
    let (code, ..) = deep.ask(&[&program.id().to_string(), "ps"]);
    assert_eq!(code, Some(0));
}

/// What is typed need not be text, and what comes after it counts.
#[test]
fn the_client_goes_on_after_garbage() {
    let runtime = Runtime::new();
    let program = runtime.start(example("kid").env("CURIOMONITOR", "1"));
    program.line();
    let mut asked = Command::new(client())
        .env("XDG_RUNTIME_DIR", &runtime.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client is there");
    let mut input = asked.stdin.take().expect("it is piped");
    input
        .write_all(b"\xff\0\x1b[2J\nparents 4\nquit")
        .expect("it reads");
    drop(input);
    let answers = asked.wait_with_output().expect("it ends");
    let shown = String::from_utf8(answers.stdout).expect("text");
    assert!(shown.contains("curio > Unknown command. Type help.\n"), "{shown}");
    assert!(shown.contains(" kid\n3 "), "{shown}");
    assert!(
        !shown.contains('\x1b') && !shown.contains("closed by remote"),
        "{shown}"
    );
}

#[test]
fn the_client_says_how_it_is_used() {
    let runtime = Runtime::new();
    for argument in ["--help", "-h"] {
        let (code, help, errors) = runtime.ask(&[argument]);
        assert_eq!((code, errors.as_str()), (Some(0), ""));
        assert!(
            help.contains("\nUsage: curio-monitor [WHICH] [COMMAND..]\n"),
            "{help}"
        );
    }
    let (code, out, errors) = runtime.ask(&["--banana"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(errors, "curio-monitor: --banana is not known; try --help\n");
}

/// `top` has the whole screen, and gives it back.
#[test]
fn top_shows_who_uses_most_time() {
    let runtime = Runtime::new();
    let program = runtime.start(&mut example("kid_fib"));
    let Some(terminal) = Terminal::open(&runtime, client(), "top") else {
        return;
    };
    let screen = terminal.wait_for("q quit");
    assert!(
        screen.lines().nth(1).is_some_and(|line| line.starts_with("Task")),
        "{screen}"
    );
    while program.line() != "Building the Millenium Falcon in Minecraft" {}
    let screen = terminal.wait_for("task 4 does not let go");
    assert!(
        screen.lines().nth(2).is_some_and(|line| line.contains("RUNNING")),
        "{screen}"
    );
    terminal.press(&["Down"]);
    terminal.press(&["p"]);
    terminal.wait_for("4           RUNNING kid");
    terminal.press(&["Escape"]);
    // Both keys at once would be one: Alt-q.
    terminal.wait_until("the table alone", |screen| {
        !screen.contains("4           RUNNING kid")
    });
    terminal.press(&["q"]);
    terminal.wait_for("it ended with 0");
}
