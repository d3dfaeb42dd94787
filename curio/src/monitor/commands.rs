//! What can be asked for, and the answers.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::BufWriter;
use std::sync::Arc;

use super::connection::{Answer, Job, Session};
use super::server::Core;
use super::{locks, show, system};
use crate::json::Line;
use crate::mirror::{Entry, Mirror, Row, Silence};
use crate::signal::Signal;
use crate::traceback::{self, Options, Raw};

/// How many tasks are shown, unless somebody asks for all.
const SHOWN: usize = 200;
/// How many tasks go into one piece of a long answer.
const PIECE: usize = 256;
/// How many tasks `top` shows.
const TOP: usize = 20;

const HELP: &str = "\
Commands:
     ps [all] [name]  : Show task table (all of it; those with such names)
     ps --json [name] : The same for programs
     where taskid     : Show stack frames for a task
     parents taskid   : List task parents
     tree [all]       : Show who has spawned whom, and the task groups
     locks            : Show who waits for whom, and who has what others wait for
     top              : Show the tasks that have used most time
     cancel taskid    : Cancel an indicated task
     signal signame   : Send a Unix signal
     trace on file    : Record what happens
     trace off        : Stop that
     about            : Show which program this is
     quit             : Leave the monitor
";

fn text(text: impl Into<String>) -> Answer {
    Answer {
        text: text.into(),
        ..Answer::default()
    }
}

fn job(text: String, more: Job) -> Answer {
    Answer {
        text,
        more: Some(more),
        leaves: false,
    }
}

/// Does what a line says.
pub(super) fn obey(core: &mut Core, session: &mut Session, line: &str) -> Answer {
    let mut words = line.split_whitespace();
    let Some(command) = words.next() else {
        return text("");
    };
    let words: Vec<&str> = words.collect();
    core.commands += 1;
    if let ("cancel" | "c" | "signal" | "trace", false) = (command, session.may_control) {
        return text("This is for those who are on the program's own socket; here, one can only look.\n");
    }
    match (command, words.as_slice()) {
        ("ps" | "p", options) => ps(core, session, options),
        ("where" | "w", [id]) => with_id(id, |id| where_(core, id)),
        ("parents" | "pa", [id]) => with_id(id, |id| text(parents(&core.mirror, id))),
        ("cancel" | "c", [id]) => with_id(id, |id| cancel(core, id)),
        ("signal", [name]) => text(signal(name)),
        ("tree", []) => tree(core, SHOWN),
        ("tree", ["all"]) => tree(core, usize::MAX),
        ("locks", []) => locks::show(),
        ("top", []) => text(top(core, session)),
        ("trace", ["on", file]) => text(trace(core, file)),
        ("trace", ["off"]) => text(end_trace(core)),
        ("about", []) => text(about(core)),
        ("batch", []) => {
            session.is_batch = true;
            text("")
        }
        ("help" | "h" | "?", _) => text(HELP),
        ("exit", []) if session.is_terminal => {
            core.mirror.tell(|context| {
                let first = context.exit.take();
                context.exit.set(first.or(Some(0)));
            });
            text("")
        }
        ("quit" | "q" | "exit", []) => Answer {
            text: match session.is_terminal {
                true => "Leaving monitor. Hit Ctrl-C to come back, and twice to exit.\n".to_string(),
                false => String::new(),
            },
            more: None,
            leaves: true,
        },
        // A web page that was told to speak to us.
        ("GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "DELETE" | "PATCH" | "CONNECT" | "TRACE", _)
            if session.is_tcp =>
        {
            Answer {
                leaves: true,
                ..Answer::default()
            }
        }
        (
            "where" | "w" | "parents" | "pa" | "cancel" | "c" | "signal" | "tree" | "locks" | "top" | "trace"
            | "about" | "quit" | "q" | "exit",
            _,
        ) => text("Bad command. Type help.\n"),
        _ => text("Unknown command. Type help.\n"),
    }
}

fn with_id(id: &str, f: impl FnOnce(u64) -> Answer) -> Answer {
    match id.parse() {
        Ok(id) => f(id),
        Err(_) => text("Bad task id\n"),
    }
}

/// Why the kernel has not answered.
pub(super) fn silence(core: &Core, silence: Silence) -> String {
    let running = core.mirror.running().and_then(|id| core.mirror.find(id));
    match (silence, running) {
        (Silence::Gone, _) => "The kernel has ended.\n".to_string(),
        (Silence::Busy, Some(task)) => format!(
            "The kernel is busy: task {} ({}) does not let go of it.\n",
            task.id,
            show::clean(task.name.as_str())
        ),
        (Silence::Busy, None) => "The kernel does not run now.\n".to_string(),
    }
}

// ---- ps

fn ps(core: &Core, session: &mut Session, options: &[&str]) -> Answer {
    let (mut json, mut limit, mut name) = (false, SHOWN, None);
    for option in options {
        match *option {
            "--json" => json = true,
            "all" => limit = usize::MAX,
            "--times" => times(core, session),
            other => name = Some(other.to_string()),
        }
    }
    let mut table = String::new();
    let matches = move |entry: &Entry| {
        let name = name.as_deref();
        name.is_none_or(|name| entry.name.as_str().contains(name))
    };
    if json {
        return job(table, ps_json(matches));
    }
    show::header(&mut table);
    show::own_rows(&mut table, &core.mirror, core.commands, session.is_terminal);
    let (mut after, mut shown, mut more) = (0, 0, 0);
    job(
        table,
        Box::new(move |core, into| {
            let slice = core.mirror.slice(after, PIECE);
            let Some(last) = slice.last() else {
                if more > 0 {
                    into.push_str(&format!(
                        "... and {more} more: `ps all` shows them, `ps NAME` those with such names\n"
                    ));
                }
                return false;
            };
            after = last.id;
            for entry in slice.into_iter().filter(|entry| matches(entry)) {
                if shown < limit {
                    shown += 1;
                    show::row(into, &core.mirror, &core.mirror.row(entry));
                } else {
                    more += 1;
                }
            }
            true
        }),
    )
}

fn ps_json(matches: impl Fn(&Entry) -> bool + 'static) -> Job {
    let (mut after, mut shown) = (0, 0);
    Box::new(move |core, into| {
        let slice = core.mirror.slice(after, PIECE);
        let Some(last) = slice.last() else {
            let line = Line::new()
                .text("kernel", "curio")
                .number("tasks", core.mirror.len() as u64)
                .number("shown", shown)
                .number("turns", core.mirror.turns())
                .number("running", core.mirror.running());
            into.push_str(&line.end());
            return false;
        };
        after = last.id;
        for entry in slice.into_iter().filter(|entry| matches(entry)) {
            shown += 1;
            into.push_str(&show::json_row(&core.mirror, &core.mirror.row(entry)));
        }
        true
    })
}

fn times(core: &Core, session: &mut Session) {
    if !std::mem::replace(&mut session.times, true) {
        core.mirror.time(true);
    }
}

// ---- One task

fn no_task(id: u64) -> String {
    match id {
        1 | 2 => format!(
            "Task {id} is no task, but the {}.\n",
            ["kernel", "monitor"][id as usize - 1]
        ),
        id => format!("No task {id}\n"),
    }
}

fn where_(core: &mut Core, id: u64) -> Answer {
    let Some(entry) = core.mirror.find(id) else {
        return text(no_task(id));
    };
    let row = core.mirror.row(entry);
    let name = row.entry.name.as_str().to_string();
    // One that runs is asked by force; if it has gone on meanwhile, it answers like all others.
    if row.state == "RUNNING"
        && let Some(raw) = core.sample()
        && core.mirror.running() == Some(id)
    {
        return traceback(raw.about(id, &name));
    }
    let asked = core.ask(move |context, answer| {
        traceback::request(context, id, move |raw| answer.give(raw));
    });
    match asked {
        Ok(Some(raw)) => traceback(raw),
        Ok(None) => text(no_task(id)),
        Err(why) => {
            // The place is known in any case.
            let row = core.mirror.row(row.entry);
            let task = show::task(&row);
            let known = match row.waits.place.filter(|_| row.is_waiting) {
                Some(place) => format!(
                    "Stack for {task} (most recent call last):\n  File \"{}\", line {}, in {}\n",
                    place.file(),
                    place.line(),
                    show::clean(&name)
                ),
                None => format!("No stack for {task}\n"),
            };
            text(known + &silence(core, why))
        }
    }
}

fn traceback(raw: Raw) -> Answer {
    let shown = raw.resolve(Options::default()).to_string();
    text(
        shown
            .lines()
            .map(|line| show::clean(line) + "\n")
            .collect::<String>(),
    )
}

fn parents(mirror: &Mirror, id: u64) -> String {
    let mut shown = String::new();
    let mut at = Some(id);
    while let Some(id) = at {
        let Some(entry) = mirror.find(id) else {
            if shown.is_empty() {
                return no_task(id);
            }
            // Whoever spawned it has ended, and so nobody knows who that one was.
            show::parent(&mut shown, id, "TERMINATED", "");
            break;
        };
        at = entry.parent;
        let row = mirror.row(entry);
        show::parent(&mut shown, id, row.state, row.entry.name.as_str());
    }
    shown
}

fn cancel(core: &Core, id: u64) -> Answer {
    let Some(entry) = core.mirror.find(id) else {
        return text(no_task(id));
    };
    let index = entry.index;
    // That is said first: what the program says of it comes after it, in the same terminal.
    job(
        format!("Cancelling task {id}\n"),
        Box::new(move |core, into| {
            // Not withdrawn if the kernel is busy: it is told when it can be.
            core.mirror.tell(move |context| {
                context.with_tables(|tables| {
                    let slot = tables.waits.task(index);
                    if slot.is_some_and(|slot| slot.id() == id) {
                        tables.request_cancel(index);
                    }
                });
            });
            if let Err(Silence::Busy) = core.ask(|_, answer| answer.give(())) {
                into.push_str(&silence(core, Silence::Busy));
            }
            false
        }),
    )
}

fn signal(name: &str) -> String {
    let unknown = || format!("Unknown signal {}\n", show::clean(name));
    match name.parse::<Signal>() {
        Ok(signal) => match system::send(signal.number()) {
            Ok(()) => String::new(),
            Err(error) => format!("{signal}: {error}\n"),
        },
        Err(_) => unknown(),
    }
}

// ---- All tasks

fn all(mirror: &Mirror) -> Vec<Arc<Entry>> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let slice = mirror.slice(after, PIECE);
        let Some(last) = slice.last() else { return all };
        after = last.id;
        all.extend(slice);
    }
}

/// Who has spawned whom: those whom nobody has that is still there come first.
fn tree(core: &Core, limit: usize) -> Answer {
    let tasks = all(&core.mirror);
    let places: HashMap<u64, usize> = tasks.iter().enumerate().map(|(n, task)| (task.id, n)).collect();
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (n, task) in tasks.iter().enumerate() {
        let parent = task.parent.and_then(|parent| places.get(&parent).copied());
        children.entry(parent).or_default().push(n);
    }
    // The next one is on top. Each has what stands left of it, and whether it is its parent's last.
    let mut stack: Vec<(usize, String, bool)> = Vec::new();
    let roots = children.remove(&None).unwrap_or_default();
    stack.extend(roots.into_iter().rev().map(|root| (root, String::new(), true)));
    let total = tasks.len();
    let mut shown = 0;
    // Numbered as they are met.
    let mut groups: HashMap<usize, usize> = HashMap::new();
    job(
        String::new(),
        Box::new(move |core, into| {
            for _ in 0..PIECE {
                if shown >= limit && !stack.is_empty() {
                    into.push_str(&format!(
                        "... and {} more: `tree all` shows them\n",
                        total - shown
                    ));
                    return false;
                }
                let Some((task, left, is_last)) = stack.pop() else {
                    return false;
                };
                shown += 1;
                let is_root = left.is_empty();
                into.push_str(&left);
                if !is_root {
                    // What stands left of it ends with its own branch.
                    debug_assert!(left.ends_with("─ "));
                }
                let group = tasks[task].group().map(|group| {
                    let new = groups.len() + 1;
                    *groups.entry(group).or_insert(new)
                });
                show::twig(into, &core.mirror.row(tasks[task].clone()), group);
                // Deeper than that, nobody sees anything.
                let below = match (is_root, is_last) {
                    (true, _) => String::new(),
                    (false, true) => format!("{}   ", left.trim_end_matches("└─ ")),
                    (false, false) => format!("{}│  ", left.trim_end_matches("├─ ")),
                };
                let below = if below.chars().count() > 300 {
                    String::new()
                } else {
                    below
                };
                let kids = children.remove(&Some(task)).unwrap_or_default();
                let count = kids.len();
                let kids = kids.into_iter().enumerate().rev().map(|(n, kid)| {
                    let is_last = n + 1 == count;
                    (
                        kid,
                        format!("{below}{}", if is_last { "└─ " } else { "├─ " }),
                        is_last,
                    )
                });
                stack.extend(kids);
            }
            true
        }),
    )
}

fn top(core: &Core, session: &mut Session) -> String {
    let is_new = !session.times;
    times(core, session);
    if is_new {
        return "From now on it is measured how long runs take. Type top again to see it.\n".to_string();
    }
    let mut rows: Vec<Row> = all(&core.mirror)
        .into_iter()
        .map(|entry| core.mirror.row(entry))
        .filter(|row| !row.busy.is_zero())
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.busy));
    let mut shown = format!(
        "{:<6} {:<12} {:<10} {:>10} {:>10} Task\n",
        "Task", "State", "Cycles", "Busy ms", "Longest ms"
    );
    for row in rows.into_iter().take(TOP) {
        shown.push_str(&format!(
            "{:<6} {:<12} {:<10} {:>10.3} {:>10.3} {}\n",
            row.entry.id,
            row.state,
            row.cycles,
            row.busy.as_secs_f64() * 1e3,
            row.longest.as_secs_f64() * 1e3,
            show::clean(row.entry.name.as_str()),
        ));
    }
    shown
}

// ---- The program

fn trace(core: &mut Core, file: &str) -> String {
    if core.records {
        return "A recording is under way. `trace off` ends it.\n".to_string();
    }
    // Nothing is ever overwritten.
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return format!("{}: {error}\n", show::clean(file)),
    };
    core.records = true;
    core.mirror
        .tell(move |context| context.start_recording(BufWriter::new(opened)));
    let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let shown = format!("Recording to {}\n", show::clean(&path.to_string_lossy()));
    with_patience(core, shown)
}

fn end_trace(core: &mut Core) -> String {
    if !std::mem::take(&mut core.records) {
        return "There is no recording under way.\n".to_string();
    }
    core.mirror.tell(|context| context.end_recording());
    with_patience(core, "The recording has ended.\n".to_string())
}

/// What was said to the kernel, it may hear later.
fn with_patience(core: &mut Core, shown: String) -> String {
    match core.ask(|_, answer| answer.give(())) {
        Ok(()) => shown,
        Err(why) => format!("{shown}{}", silence(core, why)),
    }
}

fn about(core: &Core) -> String {
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    Line::new()
        .text("kernel", "curio")
        .number("pid", u64::from(std::process::id()))
        .text("command", arguments.join(" ").as_str())
        .number("tasks", core.mirror.len() as u64)
        .number("turns", core.mirror.turns())
        .number("running", core.mirror.running())
        .end()
}
