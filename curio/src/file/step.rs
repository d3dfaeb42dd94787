//! One call on a worker, as all operations on files make it.

use std::any::Any;
use std::io::{self, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::task::{Context as TaskContext, Poll, ready};

use super::File;
use crate::context::{self, Outside};
use crate::error::{Error, Result};
use crate::traps::{Label, Waiting};
use crate::workers::{self, Errand, Panicked};

const FILE_WAIT: Label = Label::new(&"FILE_WAIT");

pub(super) type Job = Errand<Box<dyn FnOnce() -> Reply + Send>, Reply>;

/// What a worker does with the file. It gets the file's buffer.
pub(super) type Work = Box<dyn FnOnce(&mut At<'_>, &mut Vec<u8>) -> io::Result<Answer> + Send>;

/// What comes back from a worker.
pub(super) struct Reply {
    buffer: Vec<u8>,
    moved: bool,
    writes: bool,
    answer: io::Result<Answer>,
}

pub(super) enum Answer {
    /// So many bytes are in the buffer.
    Read(usize),
    Written(usize),
    Position(u64),
    Other(Box<dyn Any + Send>),
    Nothing,
}

impl Answer {
    pub(super) fn position(self) -> Option<u64> {
        match self {
            Answer::Position(position) => Some(position),
            _ => None,
        }
    }

    pub(super) fn other<R: 'static>(self) -> Option<R> {
        match self {
            Answer::Other(other) => other.downcast().ok().map(|other| *other),
            _ => None,
        }
    }
}

/// The file as a worker has it: the system may be ahead of its position (F2).
pub(super) struct At<'a> {
    pub(super) file: &'a std::fs::File,
    ahead: i64,
    /// The system is at the file's position now.
    moved: bool,
}

impl At<'_> {
    /// Moves the system to the file's position.
    pub(super) fn go_back(&mut self) -> io::Result<()> {
        if self.ahead > 0 {
            self.file.seek(SeekFrom::Current(-self.ahead))?;
            self.moved = true;
        }
        Ok(())
    }

    pub(super) fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Current(by) => SeekFrom::Current(by.saturating_sub(self.ahead)),
            other => other,
        };
        let position = self.file.seek(to)?;
        self.moved = true;
        Ok(position)
    }
}

pub(super) fn is_seekable(mut file: &std::fs::File) -> bool {
    file.stream_position().is_ok()
}

/// How a call has ended.
pub(super) enum Done {
    Answer(io::Result<Answer>),
    /// Interrupted; if it was awaited all the same, with what it gave.
    Interrupted(Error, Option<io::Result<Answer>>),
}

/// A file that an operation works with. If that goes away, so does its call.
pub(super) struct Call<'a> {
    pub(super) file: &'a mut File,
    pub(super) step: Step,
}

impl<'a> Call<'a> {
    pub(super) fn new(file: &'a mut File, place: &'static Location<'static>) -> Call<'a> {
        Call {
            file,
            step: Step::new(place),
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        writes: bool,
        work: impl FnOnce(&mut File) -> Work,
    ) -> Poll<Done> {
        self.step.poll(self.file, cx, writes, work)
    }

    pub(super) fn settle(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.step.settle(self.file, cx)
    }

    /// Whether its call is under way.
    pub(super) fn is_calling(&self) -> bool {
        self.step.is_calling()
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.step.leave(self.file);
    }
}

/// The way of one call.
pub(super) struct Step {
    stage: Stage,
    waiting: Waiting,
    place: &'static Location<'static>,
    outside: Option<Outside>,
    /// It was interrupted, and waits for the end of its call.
    interrupted: Option<Error>,
}

#[derive(PartialEq)]
enum Stage {
    New,
    /// The file's job is this one's.
    Running,
}

impl Step {
    pub(super) fn new(place: &'static Location<'static>) -> Step {
        Step {
            stage: Stage::New,
            waiting: Waiting::new(),
            place,
            outside: None,
            interrupted: None,
        }
    }

    /// Waits until the file is settled.
    pub(super) fn settle(&mut self, file: &mut File, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if self.stage == Stage::Running {
            return Poll::Ready(Ok(()));
        }
        let Some(job) = &file.job else {
            return Poll::Ready(Ok(()));
        };
        match job.poll(cx) {
            Poll::Ready(reply) => {
                file.job = None;
                self.end();
                if let Ok(reply) = reply {
                    file.settle(reply);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                if self.outside.is_none() {
                    let outside = context::with_task(|context, _| Ok(context.begin_outside()));
                    self.outside = outside.ok();
                }
                self.wait(cx).map(Err)
            }
        }
    }

    /// Makes the call, once the file is settled, and waits for it. One that writes waits for its end also when it is
    /// interrupted, if the file has positions.
    pub(super) fn poll(
        &mut self,
        file: &mut File,
        cx: &mut TaskContext<'_>,
        writes: bool,
        work: impl FnOnce(&mut File) -> Work,
    ) -> Poll<Done> {
        if let Err(error) = ready!(self.settle(file, cx)) {
            return Poll::Ready(Done::Interrupted(error, None));
        }
        if self.stage == Stage::New {
            // Asked first: who is interrupted here has done nothing.
            if let Poll::Ready(error) = self.wait(cx) {
                return Poll::Ready(Done::Interrupted(error, None));
            }
            let work = work(file);
            match begin(file, work, writes, cx) {
                Ok((job, outside)) => {
                    file.job = Some(job);
                    self.outside = Some(outside);
                    self.stage = Stage::Running;
                }
                Err(error) => {
                    self.end();
                    return Poll::Ready(Done::Interrupted(error, None));
                }
            }
        }
        loop {
            let Some(job) = &file.job else {
                panic!("an operation on a file was polled after it had completed");
            };
            if let Poll::Ready(reply) = job.poll(cx) {
                file.job = None;
                self.end();
                return Poll::Ready(match (reply, self.interrupted.take()) {
                    (Ok(reply), None) => Done::Answer(file.take(reply)),
                    (Ok(reply), Some(error)) => Done::Interrupted(error, Some(file.take(reply))),
                    (Err(error), None) | (Err(_), Some(error)) => Done::Interrupted(error, None),
                });
            }
            let error = ready!(self.wait(cx));
            if job.withdraw() {
                file.job = None;
            } else if writes && file.seekable && !matches!(error, Error::NoKernel) {
                // A second one may come from further out, and is then the one to tell.
                self.interrupted = Some(error);
                continue;
            } else {
                job.detach();
            }
            self.end();
            return Poll::Ready(Done::Interrupted(error, None));
        }
    }

    pub(super) fn is_calling(&self) -> bool {
        self.stage == Stage::Running
    }

    fn wait(&mut self, cx: &mut TaskContext<'_>) -> Poll<Error> {
        match self.waiting.wait(cx, FILE_WAIT, self.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(error),
        }
    }

    /// The call is over; another may follow.
    fn end(&mut self) {
        self.waiting.complete();
        self.outside = None;
        self.stage = Stage::New;
    }

    /// The operation goes away.
    pub(super) fn leave(&mut self, file: &mut File) {
        if self.stage == Stage::Running
            && let Some(job) = &file.job
        {
            if job.withdraw() {
                file.job = None;
            } else {
                job.detach();
            }
        }
    }
}

/// Gives the work to a worker, with the file's buffer.
fn begin(file: &mut File, work: Work, writes: bool, cx: &TaskContext<'_>) -> Result<(Job, Outside)> {
    let (std, mut buffer) = (file.std.clone(), std::mem::take(&mut file.buffer));
    let ahead = if file.seekable {
        file.unread().len() as i64
    } else {
        0
    };
    let function: Box<dyn FnOnce() -> Reply + Send> = Box::new(move || {
        let mut at = At {
            file: &std,
            ahead,
            moved: false,
        };
        // What is known of the position must come back, whatever happens.
        let answer = catch_unwind(AssertUnwindSafe(|| work(&mut at, &mut buffer)));
        let answer = answer.unwrap_or_else(|panic| Err(Panicked::error(panic).into()));
        let moved = at.moved;
        drop(std);
        Reply {
            buffer,
            moved,
            writes,
            answer,
        }
    });
    workers::start(function, cx)
}

impl File {
    /// Takes a reply that its operation has waited for.
    fn take(&mut self, reply: Reply) -> io::Result<Answer> {
        self.buffer = reply.buffer;
        if reply.moved {
            self.forget_ahead();
        }
        reply.answer
    }

    /// Takes a reply that nobody waits for any more.
    fn settle(&mut self, reply: Reply) {
        let writes = reply.writes;
        match self.take(reply) {
            Ok(Answer::Read(n)) => self.keep(n),
            Err(error) if writes => self.failed = Some(error),
            Ok(_) | Err(_) => {}
        }
    }
}
