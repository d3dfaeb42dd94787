//! What can be asked for, and the answers: the short ones are here, each of the others has a file of its own.
//!
//! An answer is a text, or a job that goes on with it when what was written so far has been taken. A piece of it concerns a
//! bounded number of tasks, so that nobody else waits for long, and neither does the kernel, which shares a lock with those who
//! read the mirror (V2, M1).

mod ps;
mod recording;
mod top;
mod tree;
mod where_is;

pub(super) use recording::Recording;

use super::connection::{Answer, Job, Session};
use super::server::Core;
use super::{locks, show, system};
use crate::mirror::Silence;
use crate::signal::Signal;

/// How many tasks are shown, unless somebody asks for all.
const SHOWN: usize = 200;
/// How many lines go into one piece of a long answer, if each is about one task.
const PIECE: usize = 256;

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
    if let ("cancel" | "c" | "trace", true) = (command, core.mirror.is_crowded()) {
        return text(silence(core, Silence::Busy));
    }
    match (command, words.as_slice()) {
        ("ps" | "p", options) => ps::show_table(core, session, options),
        ("where" | "w", [id]) => with_id(id, |id| where_is::show_where(core, id)),
        ("parents" | "pa", [id]) => with_id(id, |id| tree::show_parents(core, id)),
        ("cancel" | "c", [id]) => with_id(id, |id| cancel(core, id)),
        ("signal", [name]) => text(signal(name)),
        ("tree", []) => tree::show_tree(SHOWN),
        ("tree", ["all"]) => tree::show_tree(usize::MAX),
        ("locks", []) => locks::show(),
        ("top", []) => top::show_top(core, session),
        ("trace", ["on", file]) => text(recording::begin(core, file)),
        ("trace", ["off"]) => text(recording::end(core)),
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
            show::name(&task)
        ),
        (Silence::Busy, None) => "The kernel does not run now.\n".to_string(),
    }
}

fn no_task(id: u64) -> String {
    match id {
        1 | 2 => format!(
            "Task {id} is no task, but the {}.\n",
            ["kernel", "monitor"][id as usize - 1]
        ),
        id => format!("No task {id}\n"),
    }
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

fn about(core: &Core) -> String {
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    ps::about_kernel(&core.mirror)
        .number("pid", u64::from(std::process::id()))
        .text("command", arguments.join(" ").as_str())
        .end()
}
