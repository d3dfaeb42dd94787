//! What the system is asked about a file, or to do with it as a whole: its position, its length, what is known of it.

use std::fmt;
use std::fs::{Metadata, Permissions};
use std::future::Future;
use std::io::{self, SeekFrom};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::File;
use super::operations::unexpected;
use super::step::{Answer, At, Call, Done, Work};
use crate::error::{Error, Result};

impl File {
    /// Moves the position; gives the new one, from the start (Python: `seek`).
    ///
    /// *Waits* for a worker. *Interrupted* by cancellation and timeouts: the position has changed or not; to know it, seek
    /// again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if the file has no positions. Otherwise as for
    /// [`run_in_thread`](crate::run_in_thread).
    ///
    /// ```
    /// use curio::file::File;
    /// use std::io::SeekFrom;
    ///
    /// curio::run(async {
    ///     let mut file = File::open("Cargo.toml").await?;
    ///     assert_eq!(file.seek(SeekFrom::Start(7)).await?, 7);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn seek(&mut self, to: SeekFrom) -> Ask<'_, u64> {
        let work = Box::new(move |at: &mut At<'_>, _: &mut Vec<u8>| at.seek(to).map(Answer::Position));
        Ask::new(self, work, Answer::position, false, Location::caller())
    }

    /// The position (Python: `tell`).
    ///
    /// *Waits* for a worker. *Interrupted* by cancellation and timeouts, which changes nothing.
    ///
    /// # Errors
    ///
    /// As for [`seek`](File::seek).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async {
    ///     assert_eq!(File::open("Cargo.toml").await?.stream_position().await?, 0);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn stream_position(&mut self) -> Ask<'_, u64> {
        self.seek(SeekFrom::Current(0))
    }

    /// Moves the position to the start.
    ///
    /// *Waits* and is *interrupted* as [`seek`](File::seek) is.
    ///
    /// # Errors
    ///
    /// As for [`seek`](File::seek).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async {
    ///     File::open("Cargo.toml").await?.rewind().await?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn rewind(&mut self) -> Ask<'_, u64> {
        self.seek(SeekFrom::Start(0))
    }

    /// Has the system write to the disk what it has of the file.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts; the system goes on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. Otherwise as for [`run_in_thread`](crate::run_in_thread).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async { File::open("Cargo.toml").await?.sync_all().await }).unwrap();
    /// ```
    #[track_caller]
    pub fn sync_all(&mut self) -> Ask<'_, ()> {
        self.change(true, std::fs::File::sync_all)
    }

    /// The same, but what is known about the file (times, say) may be written later.
    ///
    /// *Waits* and is *interrupted* as [`sync_all`](File::sync_all) is.
    ///
    /// # Errors
    ///
    /// As for [`sync_all`](File::sync_all).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async { File::open("Cargo.toml").await?.sync_data().await }).unwrap();
    /// ```
    #[track_caller]
    pub fn sync_data(&mut self) -> Ask<'_, ()> {
        self.change(true, std::fs::File::sync_data)
    }

    /// Cuts the file to this length, or fills it up with zeros (Python: `truncate`). The position stays where it is.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: a change that has begun goes on, and the next
    /// operation waits for it.
    ///
    /// # Errors
    ///
    /// As for [`sync_all`](File::sync_all).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async {
    ///     let mut file = File::open("Cargo.toml").await?; // to read only
    ///     assert!(file.set_len(0).await.is_err());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn set_len(&mut self, length: u64) -> Ask<'_, ()> {
        // What was read ahead may not be there afterwards.
        let work = Box::new(move |at: &mut At<'_>, _: &mut Vec<u8>| {
            at.go_back()?;
            at.file.set_len(length).map(|()| Answer::Nothing)
        });
        Ask::new(self, work, |_| Some(()), false, Location::caller())
    }

    /// Changes who may use the file.
    ///
    /// *Waits* and is *interrupted* as [`set_len`](File::set_len) is.
    ///
    /// # Errors
    ///
    /// As for [`sync_all`](File::sync_all).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async {
    ///     let mut file = File::open("Cargo.toml").await?;
    ///     let as_they_are = file.metadata().await?.permissions();
    ///     file.set_permissions(as_they_are).await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn set_permissions(&mut self, permissions: Permissions) -> Ask<'_, ()> {
        self.change(false, move |file| file.set_permissions(permissions))
    }

    #[track_caller]
    fn change(
        &mut self,
        syncs: bool,
        change: impl FnOnce(&std::fs::File) -> io::Result<()> + Send + 'static,
    ) -> Ask<'_, ()> {
        let work =
            Box::new(move |at: &mut At<'_>, _: &mut Vec<u8>| change(at.file).map(|()| Answer::Nothing));
        Ask::new(self, work, |_| Some(()), syncs, Location::caller())
    }

    /// What the system knows about the file.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts, which changes nothing.
    ///
    /// # Errors
    ///
    /// As for [`sync_all`](File::sync_all).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async {
    ///     assert!(File::open("Cargo.toml").await?.metadata().await?.is_file());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn metadata(&mut self) -> Ask<'_, Metadata> {
        let work =
            Box::new(|at: &mut At<'_>, _: &mut Vec<u8>| Ok(Answer::Other(Box::new(at.file.metadata()?))));
        Ask::new(self, work, Answer::other, false, Location::caller())
    }

    /// Does anything else with the file, in a worker thread (Python Curio: `blocking`). The system's position is that of the
    /// file while the function runs.
    ///
    /// *Waits* until the function has returned. *Interrupted* as [`run_in_thread`](crate::run_in_thread): a function that has
    /// begun runs on, and the next operation waits for it.
    ///
    /// # Errors
    ///
    /// The function's own. Otherwise as for [`run_in_thread`](crate::run_in_thread).
    ///
    /// ```
    /// use curio::file::File;
    /// use std::io::{BufRead, BufReader};
    ///
    /// curio::run(async {
    ///     let mut file = File::open("Cargo.toml").await?;
    ///     let lines = file.blocking(|file| Ok(BufReader::new(file).lines().count()));
    ///     assert!(lines.await? > 1);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn blocking<R: Send + 'static>(
        &mut self,
        function: impl FnOnce(&std::fs::File) -> io::Result<R> + Send + 'static,
    ) -> Ask<'_, R> {
        let work = Box::new(move |at: &mut At<'_>, _: &mut Vec<u8>| {
            at.go_back()?;
            Ok(Answer::Other(Box::new(function(at.file)?)))
        });
        Ask::new(self, work, Answer::other, false, Location::caller())
    }
}

/// The operation of [`File::seek`] and of all that asks the system for one thing.
#[must_use = "it does nothing unless it is awaited"]
pub struct Ask<'a, R> {
    call: Call<'a>,
    work: Option<Work>,
    read: fn(Answer) -> Option<R>,
    syncs: bool,
}

impl<'a, R> Ask<'a, R> {
    fn new(
        file: &'a mut File,
        work: Work,
        read: fn(Answer) -> Option<R>,
        syncs: bool,
        place: &'static Location<'static>,
    ) -> Ask<'a, R> {
        Ask {
            call: Call::new(file, place),
            work: Some(work),
            read,
            syncs,
        }
    }
}

impl<R> Future for Ask<'_, R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<R>> {
        let Ask {
            call,
            work,
            read,
            syncs,
        } = &mut *self;
        if *syncs && let Err(error) = ready!(call.poll_failure(cx)) {
            return Poll::Ready(Err(error));
        }
        let done = ready!(call.poll(cx, false, |_| match work.take() {
            Some(work) => work,
            None => panic!("an operation on a file was polled after it had completed"),
        }));
        Poll::Ready(match done {
            Done::Answer(Ok(answer)) => read(answer).ok_or_else(|| unexpected(Ok(Answer::Nothing))),
            Done::Answer(Err(error)) => Err(Error::from(error)),
            Done::Interrupted(error, _) => Err(error),
        })
    }
}

impl<R> fmt::Debug for Ask<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").finish_non_exhaustive()
    }
}
