//! The state of a kernel, rebuilt from its trace event by event.
//!
//! What cannot have happened is refused, as far as it would make a wrong picture: nobody runs who was not in the queue,
//! and nothing happens to a task that was not created or has ended.

use std::collections::BTreeMap;

use super::trace::{Event, How, Kind, Of, Until};

/// An operation that waits.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) number: u64,
    pub(crate) task: u64,
    pub(crate) label: String,
    pub(crate) until: Until,
    /// Its task is in the queue on its account, or runs.
    pub(crate) woken: bool,
}

/// A timer that has not fired.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    pub(crate) task: u64,
    pub(crate) of: Of,
    pub(crate) deadline: u64,
}

/// An interruption that its task was not told of yet.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) task: u64,
    pub(crate) scope: u64,
    pub(crate) kind: Kind,
}

/// The kernel at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) names: BTreeMap<u64, String>,
    pub(crate) queue: Vec<u64>,
    pub(crate) running: Option<u64>,
    /// What its task said of itself when it stopped last, where no wait tells more.
    pub(crate) labels: BTreeMap<u64, String>,
    /// In the order in which they came.
    pub(crate) waits: Vec<Wait>,
    /// The names of lists, as far as they have one.
    pub(crate) lists: BTreeMap<u64, String>,
    /// What is held for those who will come, by list.
    pub(crate) held: BTreeMap<u64, String>,
    /// In the order in which they were set.
    pub(crate) timers: Vec<Timer>,
    pub(crate) due: Vec<Due>,
    /// In the order in which they ended, with how.
    pub(crate) ended: Vec<(u64, String)>,
    /// What was said, by whom.
    pub(crate) said: Vec<(u64, String)>,
    /// How many turns were begun.
    pub(crate) turns: usize,
}

impl State {
    /// The name of a task, with its number where two have the same name.
    pub(crate) fn name(&self, task: u64) -> String {
        let Some(name) = self.names.get(&task) else {
            return format!("task {task}");
        };
        match self.names.values().filter(|other| *other == name).count() {
            1 => name.clone(),
            _ => format!("{name} {task}"),
        }
    }

    /// The name of a list, or its number.
    pub(crate) fn list(&self, list: u64) -> String {
        self.lists
            .get(&list)
            .cloned()
            .unwrap_or_else(|| format!("list {list}"))
    }

    /// What a wait waits for.
    pub(crate) fn until(&self, wait: u64) -> Option<Until> {
        let wait = self.waits.iter().find(|other| other.number == wait)?;
        Some(wait.until)
    }

    /// Whether the task has ended.
    pub(crate) fn has_ended(&self, task: u64) -> bool {
        self.ended.iter().any(|(ended, _)| *ended == task)
    }

    /// Tasks that were created and have not ended, by number.
    pub(crate) fn alive(&self) -> impl Iterator<Item = u64> {
        self.names.keys().copied().filter(|task| !self.has_ended(*task))
    }

    /// Whether the task stands still, in no queue.
    pub(crate) fn stands_still(&self, task: u64) -> bool {
        self.running != Some(task) && !self.queue.contains(&task) && !self.has_ended(task)
    }

    /// Timers, the next one first.
    pub(crate) fn timers_by_deadline(&self) -> Vec<&Timer> {
        let mut timers: Vec<&Timer> = self.timers.iter().collect();
        // Stable: those with the same deadline stay in the order in which they were set.
        timers.sort_by_key(|timer| timer.deadline);
        timers
    }

    /// Takes the next event, or says why that cannot have happened.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Created { task, name, .. } => {
                let again = self.names.insert(*task, name.clone()).is_some();
                return refuse_if(again, || format!("task {task} is created a second time"));
            }
            Event::Ready { task } => {
                self.must_live(*task)?;
                refuse_if(self.queue.contains(task), || {
                    format!("{} is in the ready queue already", self.name(*task))
                })?;
                self.queue.push(*task);
            }
            Event::Running { task } => {
                self.must_live(*task)?;
                if let Some(other) = self.running {
                    return Err(format!("{} runs already", self.name(other)));
                }
                let place = self.queue.iter().position(|ready| ready == task);
                let place = place.ok_or_else(|| format!("{} is not in the ready queue", self.name(*task)))?;
                self.queue.remove(place);
                self.running = Some(*task);
                self.turns += 1;
                // It looks again; what it does not leave, it goes on waiting for.
                for wait in self.waits.iter_mut().filter(|wait| wait.task == *task) {
                    wait.woken = false;
                }
            }
            Event::Says { task, text } => {
                self.must_live(*task)?;
                self.said.push((*task, text.clone()));
            }
            Event::Asks { task, .. } => self.must_live(*task)?,
            Event::Suspended { task, state } => {
                refuse_if(self.running != Some(*task), || {
                    format!("{} does not run", self.name(*task))
                })?;
                refuse_if((state == "READY") != self.queue.contains(task), || {
                    format!("`{state}` cannot be the state of {} now", self.name(*task))
                })?;
                self.running = None;
                self.labels.insert(*task, state.clone());
            }
            Event::Terminated { task, how, .. } => {
                self.must_live(*task)?;
                self.queue.retain(|ready| ready != task);
                self.due.retain(|due| due.task != *task);
                self.ended.push((*task, how.clone()));
            }
            Event::Wait {
                task,
                wait: number,
                label,
                until,
            } => {
                self.must_live(*task)?;
                let wait = Wait {
                    number: *number,
                    task: *task,
                    label: label.clone(),
                    until: *until,
                    woken: false,
                };
                // It may wait for something else from now on.
                self.waits.retain(|other| other.number != *number);
                self.waits.push(wait);
            }
            Event::Wake { task, wait, .. } => {
                let place = self.place_of(*wait, *task)?;
                self.waits[place].woken = true;
            }
            Event::Left { task, wait, .. } => {
                let place = self.place_of(*wait, *task)?;
                self.waits.remove(place);
            }
            Event::Interrupt { task, scope, kind } => {
                self.must_live(*task)?;
                self.due.push(Due {
                    task: *task,
                    scope: *scope,
                    kind: *kind,
                });
            }
            Event::Deliver { task, scope, .. } => {
                self.must_live(*task)?;
                self.due.retain(|due| (due.task, due.scope) != (*task, *scope));
            }
            Event::Timer {
                task,
                of,
                deadline,
                how: How::Set,
            } => {
                self.must_live(*task)?;
                self.timers.push(Timer {
                    task: *task,
                    of: *of,
                    deadline: *deadline,
                });
            }
            Event::Timer { of, deadline, .. } => {
                let same = |timer: &Timer| timer.of == *of && timer.deadline == *deadline;
                let place = self.timers.iter().position(same);
                let place = place.ok_or("there is no such timer")?;
                self.timers.remove(place);
            }
            Event::List { list, name } => {
                self.lists.insert(*list, name.clone());
            }
            Event::Holds { list, text } => {
                self.held.insert(*list, text.clone());
            }
            Event::Readiness { .. } | Event::Idle { .. } => {}
        }
        Ok(())
    }

    fn must_live(&self, task: u64) -> Result<(), String> {
        refuse_if(!self.names.contains_key(&task), || {
            format!("task {task} was not created")
        })?;
        refuse_if(self.has_ended(task), || format!("{} has ended", self.name(task)))
    }

    fn place_of(&self, wait: u64, task: u64) -> Result<usize, String> {
        let same = |other: &Wait| (other.number, other.task) == (wait, task);
        let place = self.waits.iter().position(same);
        place.ok_or_else(|| format!("{} has no wait {wait}", self.name(task)))
    }
}

fn refuse_if(wrong: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if wrong { Err(message()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::run::Run;
    use super::super::trace::parse;

    #[test]
    fn what_cannot_have_happened_is_told_with_its_line() {
        let kid = r#"{"at":0,"event":"created","task":1,"name":"kid","parent":null}"#;
        let ready = r#"{"at":0,"event":"ready","task":1}"#;
        let running = r#"{"at":0,"event":"running","task":1}"#;
        let ends = [
            r#"{"at":0,"event":"suspended","task":1,"state":"TERMINATED"}"#,
            r#"{"at":0,"event":"terminated","task":1,"how":"value","error":null}"#,
        ];
        let other = r#"{"at":0,"event":"created","task":2,"name":"dad","parent":null}"#;
        for (events, expected) in [
            (&[ready][..], "2: task 1 was not created"),
            (&[kid, kid], "3: task 1 is created a second time"),
            (&[kid, ready, ready], "4: kid is in the ready queue already"),
            (&[kid, running], "3: kid is not in the ready queue"),
            (&[kid, ready, running, ready, running], "6: kid runs already"),
            (
                &[
                    kid,
                    ready,
                    r#"{"at":0,"event":"suspended","task":1,"state":"READY"}"#,
                ],
                "4: kid does not run",
            ),
            (
                &[
                    kid,
                    ready,
                    running,
                    r#"{"at":0,"event":"suspended","task":1,"state":"READY"}"#,
                ],
                "5: `READY` cannot be the state of kid now",
            ),
            (
                &[kid, ready, running, ends[0], ends[1], ready],
                "7: kid has ended",
            ),
            (
                &[kid, r#"{"at":0,"event":"says","task":2,"text":"x"}"#],
                "3: task 2 was not created",
            ),
            (
                &[kid, r#"{"at":0,"event":"wake","task":1,"wait":4,"by":null}"#],
                "3: kid has no wait 4",
            ),
            (
                // It is somebody else's.
                &[
                    kid,
                    other,
                    r#"{"at":0,"event":"wait","task":2,"wait":4,"label":"X","until":"woken","what":null}"#,
                    r#"{"at":0,"event":"left","task":1,"wait":4,"how":"completed"}"#,
                ],
                "5: kid has no wait 4",
            ),
            (
                &[
                    kid,
                    r#"{"at":0,"event":"timer","task":1,"wait":4,"deadline":9,"how":"fired"}"#,
                ],
                "3: there is no such timer",
            ),
        ] {
            let header = r#"{"format":"curio-trace","version":1,"clock":"steps","seed":null}"#;
            let text = format!("{header}\n{}\n", events.join("\n"));
            let error = Run::of(&parse(&text).expect("whole")).expect_err(expected);
            assert_eq!(error.to_string(), expected);
        }
    }
}
