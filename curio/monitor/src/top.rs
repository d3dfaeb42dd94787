//! The tasks that use most time, all the time.
//!
//! Each second the whole table is asked for, and what has been added since the last time is shown. Where there is no terminal,
//! that is done once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, TableState};
use serde_json::Value;

use crate::link::Link;

/// How often the table is asked for.
const PERIOD: Duration = Duration::from_secs(1);

/// A task, and what it has done in the last period.
#[derive(Debug, Clone, Default)]
struct Task {
    id: u64,
    state: String,
    name: String,
    place: String,
    cycles: u64,
    busy: u64,
    longest: u64,
    new_cycles: u64,
    new_busy: u64,
}

/// What the table is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Busy,
    Runs,
    Number,
}

impl Order {
    fn next(self) -> Order {
        match self {
            Order::Busy => Order::Runs,
            Order::Runs => Order::Number,
            Order::Number => Order::Busy,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Order::Busy => "time",
            Order::Runs => "runs",
            Order::Number => "number",
        }
    }
}

struct Top {
    link: BufReader<Link>,
    tasks: Vec<Task>,
    before: HashMap<u64, (u64, u64)>,
    asked: Option<Instant>,
    period: Duration,
    running: Option<u64>,
    turns: u64,
    new_turns: u64,
    order: Order,
    table: TableState,
    /// Something over the table, until a key is hit.
    note: Option<String>,
}

/// Shows it until somebody has had enough.
pub(crate) fn show(link: Link) -> io::Result<()> {
    let mut top = Top {
        link: link.into_batch()?,
        tasks: Vec::new(),
        before: HashMap::new(),
        asked: None,
        period: PERIOD,
        running: None,
        turns: 0,
        new_turns: 0,
        order: Order::Busy,
        table: TableState::default(),
        note: None,
    };
    top.look()?;
    if !io::stdout().is_terminal() {
        std::thread::sleep(PERIOD);
        top.look()?;
        return top.print();
    }
    let mut terminal = ratatui::try_init()?;
    let shown = top.run(&mut terminal);
    ratatui::restore();
    shown
}

impl Top {
    /// Asks for the table.
    fn look(&mut self) -> io::Result<()> {
        self.link.get_mut().write_all(b"ps --json --times\n")?;
        let now = Instant::now();
        let mut tasks = Vec::new();
        let mut line = String::new();
        loop {
            line.clear();
            if self.link.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the program has ended"));
            }
            let value: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
            if value["kernel"].is_string() {
                self.running = value["running"].as_u64();
                let turns = value["turns"].as_u64().unwrap_or(0);
                self.new_turns = turns - self.turns.min(turns);
                self.turns = turns;
                break;
            }
            tasks.push(self.task(&value));
        }
        if let Some(asked) = self.asked.replace(now) {
            self.period = now - asked;
        } else {
            // Nothing is known yet of what is new.
            self.new_turns = 0;
            tasks
                .iter_mut()
                .for_each(|task| (task.new_cycles, task.new_busy) = (0, 0));
        }
        self.before = tasks
            .iter()
            .map(|task| (task.id, (task.cycles, task.busy)))
            .collect();
        match self.order {
            Order::Busy => tasks.sort_by_key(|task| Reverse((task.new_busy, task.new_cycles))),
            Order::Runs => tasks.sort_by_key(|task| Reverse(task.new_cycles)),
            Order::Number => {}
        }
        // The one that is running now does not let go: it comes first, whatever it has used so far.
        tasks.sort_by_key(|task| Some(task.id) != self.running);
        self.tasks = tasks;
        Ok(())
    }

    fn task(&self, value: &Value) -> Task {
        let text = |key: &str| {
            let text = value[key].as_str().unwrap_or_default();
            text.chars().filter(|c| !c.is_control()).collect::<String>()
        };
        let number = |key: &str| value[key].as_u64().unwrap_or(0);
        let (id, cycles, busy) = (number("task"), number("cycles"), number("busy"));
        let (cycles_before, busy_before) = self.before.get(&id).copied().unwrap_or((0, 0));
        Task {
            id,
            state: text("state"),
            name: text("name"),
            place: text("place"),
            cycles,
            busy,
            longest: number("longest"),
            new_cycles: cycles.saturating_sub(cycles_before),
            new_busy: busy.saturating_sub(busy_before),
        }
    }

    /// How much of a period this is.
    fn share(&self, nanos: u64) -> f64 {
        nanos as f64 / self.period.as_nanos().max(1) as f64 * 100.0
    }

    fn head(&self) -> String {
        let busy: u64 = self.tasks.iter().map(|task| task.new_busy).sum();
        let runs = self.new_turns as f64 / self.period.as_secs_f64();
        let mut head = format!(
            "{} tasks, {runs:.0} runs a second, {:.0} % busy",
            self.tasks.len(),
            self.share(busy)
        );
        if let Some(running) = self.running
            && self.new_turns == 0
        {
            head.push_str(&format!(", task {running} does not let go"));
        }
        head
    }

    fn cells(&self, task: &Task) -> [String; 7] {
        [
            task.id.to_string(),
            task.state.clone(),
            task.new_cycles.to_string(),
            format!("{:.1}", self.share(task.new_busy)),
            format!("{:.3}", task.longest as f64 / 1e6),
            task.name.clone(),
            task.place.clone(),
        ]
    }

    fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.head())?;
        let print = |out: &mut io::StdoutLock<'_>, cells: [&str; 7]| {
            let [id, state, runs, busy, longest, name, place] = cells;
            let line = format!("{id:<6} {state:<12} {runs:>10} {busy:>6} {longest:>10} {name:<30} {place}");
            writeln!(out, "{}", line.trim_end())
        };
        print(&mut out, HEADER)?;
        for task in &self.tasks {
            print(&mut out, self.cells(task).each_ref().map(String::as_str))?;
        }
        Ok(())
    }

    fn run(&mut self, terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
        let mut due = Instant::now() + PERIOD;
        loop {
            terminal.draw(|frame| self.draw(frame))?;
            if event::poll(due.saturating_duration_since(Instant::now()))?
                && let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
            {
                let is_ctrl_c =
                    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if is_ctrl_c {
                    return Ok(());
                }
                if self.note.take().is_some() {
                    continue;
                }
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Char('s') => {
                        self.order = self.order.next();
                        due = Instant::now();
                    }
                    KeyCode::Down | KeyCode::Char('j') => self.table.select_next(),
                    KeyCode::Up | KeyCode::Char('k') => self.table.select_previous(),
                    KeyCode::PageDown => self.table.scroll_down_by(20),
                    KeyCode::PageUp => self.table.scroll_up_by(20),
                    KeyCode::Enter | KeyCode::Char('w') => self.ask("where")?,
                    KeyCode::Char('p') => self.ask("parents")?,
                    KeyCode::Char('x') => self.ask("cancel")?,
                    _ => {}
                }
            }
            if Instant::now() >= due {
                self.look()?;
                due = Instant::now() + PERIOD;
            }
        }
    }

    /// Asks something about the task that is selected.
    fn ask(&mut self, command: &str) -> io::Result<()> {
        let Some(task) = self.table.selected().and_then(|n| self.tasks.get(n)) else {
            return Ok(());
        };
        // The line about the kernel ends the answer.
        let line = format!("{command} {}\nabout\n", task.id);
        self.link.get_mut().write_all(line.as_bytes())?;
        let mut note = String::new();
        loop {
            let start = note.len();
            if self.link.read_line(&mut note)? == 0 {
                return Err(io::Error::other("the program has ended"));
            }
            if note[start..].starts_with("{\"kernel\":") {
                note.truncate(start);
                break;
            }
        }
        self.note = Some(note);
        Ok(())
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
                .areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        let widths = [
            Constraint::Length(7),
            Constraint::Length(13),
            Constraint::Length(10),
            Constraint::Length(7),
            Constraint::Length(11),
            Constraint::Fill(1),
            Constraint::Fill(1),
        ];
        // Only what can be seen: there may be many.
        let rows: Vec<Row<'_>> = self
            .tasks
            .iter()
            .take(1000)
            .map(|task| {
                let style = match task.state.as_str() {
                    "RUNNING" => Style::new().add_modifier(Modifier::BOLD),
                    "READY" => Style::new(),
                    _ => Style::new().add_modifier(Modifier::DIM),
                };
                Row::new(self.cells(task)).style(style)
            })
            .collect();
        let table = Table::new(rows, widths)
            .header(Row::new(HEADER).style(Style::new().add_modifier(Modifier::REVERSED)))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(table, body, &mut self.table);
        let keys = format!(
            "q quit   s order ({})   arrows select   enter where   p parents   x cancel",
            self.order.name()
        );
        frame.render_widget(Paragraph::new(keys), foot);
        if let Some(note) = &self.note {
            let lines: Vec<Line<'_>> = note.lines().map(Line::raw).collect();
            let height = (lines.len() as u16 + 2).min(body.height);
            let [area, _] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(body);
            frame.render_widget(Clear, area);
            frame.render_widget(Paragraph::new(lines).block(Block::bordered()), area);
        }
    }
}

const HEADER: [&str; 7] = ["Task", "State", "Runs", "Busy %", "Longest ms", "Name", "Where"];
