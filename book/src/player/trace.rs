//! Reads a recorded run. The format is described in the documentation of `curio::trace`.
//!
//! It is read strictly: a page that shows a run must not show half of one. Only events and fields that are not known are
//! passed over, because later versions of the format may add some.

use std::fmt;

use serde_json::Value;

/// What is wrong with a trace, and in which of its lines (from 1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// What its times are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Counted runs.
    Steps,
    /// Nanoseconds, real or virtual.
    Nanoseconds,
}

/// A recorded run.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) clock: Clock,
    pub(crate) shuffled: bool,
    pub(crate) lines: Vec<Line>,
}

/// An event, with its time and the number of its line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) at: u64,
    pub(crate) event: Event,
}

/// What happened. The fields are those of the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Created {
        task: u64,
        name: String,
        parent: Option<u64>,
    },
    Ready {
        task: u64,
    },
    Running {
        task: u64,
    },
    Says {
        task: u64,
        text: String,
    },
    Asks {
        task: u64,
        text: String,
    },
    Suspended {
        task: u64,
        state: String,
    },
    Terminated {
        task: u64,
        how: String,
        error: Option<String>,
    },
    Wait {
        task: u64,
        wait: u64,
        label: String,
        until: Until,
    },
    Wake {
        task: u64,
        wait: u64,
        by: Option<u64>,
    },
    Left {
        task: u64,
        wait: u64,
        how: String,
    },
    Interrupt {
        task: u64,
        scope: u64,
        kind: Kind,
    },
    Deliver {
        task: u64,
        scope: u64,
        error: String,
    },
    Timer {
        task: u64,
        of: Of,
        deadline: u64,
        how: How,
    },
    Readiness {
        socket: u64,
        readable: bool,
        writable: bool,
    },
    List {
        list: u64,
        name: String,
    },
    Holds {
        list: u64,
        text: String,
    },
    Idle {
        until: Option<u64>,
    },
}

/// What a wait waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Woken,
    Time(u64),
    Task(u64),
    Readable(u64),
    Writable(u64),
    Listed(u64),
}

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Timeout,
}

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Wait(u64),
    Scope(u64),
}

/// What has become of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Set,
    Fired,
    Removed,
}

/// Reads a whole trace.
pub(crate) fn parse(text: &str) -> Result<Trace, Broken> {
    let broken = |line: usize| move |message| Broken { line, message };
    let mut lines = text.lines().enumerate();
    let (_, header) = lines
        .next()
        .ok_or("the trace is empty".to_owned())
        .map_err(broken(1))?;
    let (clock, shuffled) = parse_header(header).map_err(broken(1))?;
    let mut trace = Trace {
        clock,
        shuffled,
        lines: Vec::new(),
    };
    let mut now = 0;
    for (index, line) in lines {
        let number = index + 1;
        let (at, event) = parse_line(line).map_err(broken(number))?;
        if at < now {
            return Err(broken(number)(format!("time goes back, from {now} to {at}")));
        }
        now = at;
        if let Some(event) = event {
            trace.lines.push(Line { number, at, event });
        }
    }
    if !text.ends_with('\n') {
        return Err(broken(text.lines().count())(
            "the trace breaks off here".to_owned(),
        ));
    }
    if trace.lines.is_empty() {
        return Err(broken(1)("nothing happens in this trace".to_owned()));
    }
    Ok(trace)
}

fn parse_header(line: &str) -> Result<(Clock, bool), String> {
    let fields = Fields::parse(line)?;
    if fields.0["format"] != "curio-trace" || fields.0["version"] != 1 {
        return Err("no header of a `curio-trace`, version 1".to_owned());
    }
    let clock = match fields.text("clock")? {
        "steps" => Clock::Steps,
        "real" | "virtual" => Clock::Nanoseconds,
        other => return Err(format!("no clock is called `{other}`")),
    };
    Ok((clock, fields.maybe_number("seed")?.is_some()))
}

fn parse_line(line: &str) -> Result<(u64, Option<Event>), String> {
    let fields = Fields::parse(line)?;
    let at = fields.number("at")?;
    let event = match fields.text("event")? {
        "created" => Event::Created {
            task: fields.number("task")?,
            name: fields.text("name")?.to_owned(),
            parent: fields.maybe_number("parent")?,
        },
        "ready" => Event::Ready {
            task: fields.number("task")?,
        },
        "running" => Event::Running {
            task: fields.number("task")?,
        },
        "says" => Event::Says {
            task: fields.number("task")?,
            text: fields.text("text")?.to_owned(),
        },
        "asks" => Event::Asks {
            task: fields.number("task")?,
            text: fields.text("text")?.to_owned(),
        },
        "suspended" => Event::Suspended {
            task: fields.number("task")?,
            state: fields.text("state")?.to_owned(),
        },
        "terminated" => Event::Terminated {
            task: fields.number("task")?,
            how: fields.text("how")?.to_owned(),
            error: fields.maybe_text("error")?,
        },
        "wait" => Event::Wait {
            task: fields.number("task")?,
            wait: fields.number("wait")?,
            label: fields.text("label")?.to_owned(),
            until: fields.until()?,
        },
        "wake" => Event::Wake {
            task: fields.number("task")?,
            wait: fields.number("wait")?,
            by: fields.maybe_number("by")?,
        },
        "left" => Event::Left {
            task: fields.number("task")?,
            wait: fields.number("wait")?,
            how: fields.text("how")?.to_owned(),
        },
        "interrupt" => Event::Interrupt {
            task: fields.number("task")?,
            scope: fields.number("scope")?,
            kind: match fields.text("kind")? {
                "task" => Kind::Task,
                "timeout" => Kind::Timeout,
                other => return Err(format!("no kind of scope is called `{other}`")),
            },
        },
        "deliver" => Event::Deliver {
            task: fields.number("task")?,
            scope: fields.number("scope")?,
            error: fields.text("error")?.to_owned(),
        },
        "timer" => Event::Timer {
            task: fields.number("task")?,
            of: match (fields.maybe_number("wait")?, fields.maybe_number("scope")?) {
                (Some(wait), None) => Of::Wait(wait),
                (None, Some(scope)) => Of::Scope(scope),
                _ => return Err("a timer is of a `wait` or of a `scope`".to_owned()),
            },
            deadline: fields.number("deadline")?,
            how: match fields.text("how")? {
                "set" => How::Set,
                "fired" => How::Fired,
                "removed" => How::Removed,
                other => return Err(format!("a timer cannot be `{other}`")),
            },
        },
        "readiness" => Event::Readiness {
            socket: fields.number("socket")?,
            readable: fields.truth("readable")?,
            writable: fields.truth("writable")?,
        },
        "list" => Event::List {
            list: fields.number("list")?,
            name: fields.text("name")?.to_owned(),
        },
        "holds" => Event::Holds {
            list: fields.number("list")?,
            text: fields.text("text")?.to_owned(),
        },
        "idle" => Event::Idle {
            until: fields.maybe_number("until")?,
        },
        _ => return Ok((at, None)),
    };
    Ok((at, Some(event)))
}

/// The fields of a line.
struct Fields(Value);

impl Fields {
    fn parse(line: &str) -> Result<Fields, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("this is no JSON: {error}"))?;
        match value.is_object() {
            true => Ok(Fields(value)),
            false => Err("this is no JSON object".to_owned()),
        }
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        self.0[name]
            .as_u64()
            .ok_or_else(|| format!("`{name}` must be a number"))
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        self.0[name]
            .as_str()
            .ok_or_else(|| format!("`{name}` must be a text"))
    }

    fn truth(&self, name: &str) -> Result<bool, String> {
        self.0[name]
            .as_bool()
            .ok_or_else(|| format!("`{name}` must be true or false"))
    }

    fn maybe_number(&self, name: &str) -> Result<Option<u64>, String> {
        match &self.0[name] {
            Value::Null => Ok(None),
            _ => self.number(name).map(Some),
        }
    }

    fn maybe_text(&self, name: &str) -> Result<Option<String>, String> {
        match &self.0[name] {
            Value::Null => Ok(None),
            _ => Ok(Some(self.text(name)?.to_owned())),
        }
    }

    fn until(&self) -> Result<Until, String> {
        let what = || self.number("what");
        Ok(match self.text("until")? {
            "woken" => Until::Woken,
            "time" => Until::Time(what()?),
            "task" => Until::Task(what()?),
            "readable" => Until::Readable(what()?),
            "writable" => Until::Writable(what()?),
            "listed" => Until::Listed(what()?),
            other => return Err(format!("nothing waits until `{other}`")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"format":"curio-trace","version":1,"clock":"steps","seed":null}"#;
    const READY: &str = r#"{"at":0,"event":"ready","task":3}"#;

    fn broken(lines: &[&str]) -> String {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        parse(&text).expect_err("it is broken").to_string()
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let text = format!(
            "{HEADER}\n{}\n{}\n",
            r#"{"at":0,"event":"sneezed","task":3}"#, r#"{"at":2,"event":"ready","task":3,"colour":"blue"}"#
        );
        let trace = parse(&text).expect("fine");
        assert_eq!((trace.clock, trace.shuffled), (Clock::Steps, false));
        assert_eq!(trace.lines.len(), 1);
        let line = &trace.lines[0];
        assert_eq!(
            (line.number, line.at, &line.event),
            (3, 2, &Event::Ready { task: 3 })
        );
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        for (lines, expected) in [
            (&[][..], "1: the trace is empty"),
            (&["{}"], "1: no header of a `curio-trace`, version 1"),
            (&[READY], "1: no header of a `curio-trace`, version 1"),
            (&[HEADER], "1: nothing happens in this trace"),
            (&[HEADER, READY, "{"], "3: this is no JSON: "),
            (&[HEADER, ""], "2: this is no JSON: "),
            (&[HEADER, "3"], "2: this is no JSON object"),
            (
                &[HEADER, r#"{"event":"ready","task":3}"#],
                "2: `at` must be a number",
            ),
            (
                &[HEADER, r#"{"at":0,"event":"ready"}"#],
                "2: `task` must be a number",
            ),
            (
                &[HEADER, r#"{"at":0,"event":"suspended","task":3,"state":null}"#],
                "2: `state` must be a text",
            ),
            (
                &[HEADER, r#"{"at":4,"event":"idle","until":null}"#, READY],
                "3: time goes back, from 4 to 0",
            ),
        ] {
            let message = broken(lines);
            assert!(message.starts_with(expected), "{lines:?}: {message}");
        }
        let torn = format!("{HEADER}\n{READY}");
        let error = parse(&torn).expect_err("torn").to_string();
        assert_eq!(error, "2: the trace breaks off here");
    }
}
