//! How tasks come into a group.

use std::future::Future;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::TaskGroup;
use super::shared::Group;
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::outcome::{Outcome, Value};
use crate::tables::Watcher;
use crate::task::{Task, here, spawn_in};
use crate::thread::{self, AsyncThread};

impl<T: 'static> TaskGroup<T> {
    /// Starts a task in the group (Python Curio: `spawn`). It never waits; see [`spawn`](crate::spawn).
    ///
    /// All members of a group give the same type. (A body that never ends is best written as an `async fn .. -> Result<()>`.)
    /// The group has its own handle: dropping this one detaches nothing. In a group that is ending the task is cancelled at
    /// once. (With a name: `g.add_task(task(..).name("x").spawn())`.)
    ///
    /// # Panics
    ///
    /// In a group that was joined: make a new one. If no kernel runs in this thread, or not that of the other members.
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     TaskGroup::all()
    ///         .scope(async |g| {
    ///             let seven = g.spawn(async { Ok(7) });
    ///             assert_eq!(seven.join().await?, 7); // so it leaves the group
    ///             Ok(())
    ///         })
    ///         .await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<T>
    where
        F: Future<Output: Outcome<Value = T>> + 'static,
    {
        self.start(future, None, false, Location::caller())
    }

    /// Starts a daemon in the group (Python Curio: `spawn(daemon=True)`): it is cancelled when the other members have ended,
    /// and its result and its failure are not the group's. When the group is cancelled, daemons are cancelled together with
    /// the others: one that the others need for their clean-up belongs in a group of its own, around this one.
    ///
    /// # Panics
    ///
    /// As for [`spawn`](TaskGroup::spawn).
    ///
    /// ```
    /// use curio::{TaskGroup, run, sleep};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     TaskGroup::all()
    ///         .scope(async |g| {
    ///             g.spawn_daemon(sleep(Duration::from_secs(1000)));
    ///             g.spawn(sleep(Duration::from_millis(1)));
    ///         })
    ///         .await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_daemon<F>(&self, future: F) -> Task<T>
    where
        F: Future<Output: Outcome<Value = T>> + 'static,
    {
        self.start(future, None, true, Location::caller())
    }

    /// Starts a function in a thread of its own as a member (Python Curio: `spawn_thread`); see
    /// [`thread::spawn`](crate::thread::spawn).
    ///
    /// # Panics
    ///
    /// As for [`spawn`](TaskGroup::spawn).
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::all();
    ///     for n in 1..=3 {
    ///         g.spawn_thread(move || Ok(n * n)); // it may block
    ///     }
    ///     g.join().await?;
    ///     assert_eq!(g.results()?, [1, 4, 9]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_thread<F, R>(&self, function: F) -> Task<T>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Outcome<Value = T> + 'static,
        T: Send + 'static,
    {
        let spawned = Location::caller();
        let name = thread::name_of::<F>();
        let thread = AsyncThread::<F, T>::new(function, spawned);
        self.start(thread, Some(name), false, spawned)
    }

    #[track_caller]
    fn start<F>(
        &self,
        future: F,
        name: Option<Arc<str>>,
        daemon: bool,
        spawned: &'static Location<'static>,
    ) -> Task<T>
    where
        F: Future<Output: Outcome<Value = T>> + 'static,
    {
        context::with(|context| {
            let context = here(context);
            if let Err(error) = self.admit(&context.weak()) {
                panic!("a task was spawned into a group that cannot take it: {error}");
            }
            let task: Task<Value<F>> = spawn_in(context, future, name, daemon, spawned);
            self.enter(Some(context), task.share());
            task
        })
    }

    /// Takes a task into the group that was spawned before (Python Curio: `add_task`). One that has ended counts as ending
    /// now. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Other`] if the task is in a group already, and in a group that was joined. [`Error::NoKernel`] for a task of
    /// another kernel than that of the other members, be it one that has ended. The task goes on by itself then.
    ///
    /// ```
    /// use curio::{TaskGroup, run, task};
    ///
    /// run(async {
    ///     let g = TaskGroup::all();
    ///     g.add_task(task(async { Ok(7) }).name("seven").spawn())?;
    ///     g.join().await?;
    ///     assert_eq!(g.results()?, [7]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn add_task(&self, task: Task<T>) -> Result<()> {
        if task.handle().header().is_watched() {
            return Err(Error::other("the task is in a group already"));
        }
        self.admit(&task.handle().context)?;
        let context = task.handle().context.upgrade();
        self.enter(context.as_deref(), task);
        Ok(())
    }

    /// Whether a task of this kernel may come in (G2).
    fn admit(&self, kernel: &Weak<Context>) -> Result<()> {
        let mut roll = self.group.roll.borrow_mut();
        roll.check_open()?;
        let mut home = self.group.home.borrow_mut();
        if !home.ptr_eq(kernel) {
            if home.strong_count() > 0 || !roll.move_out() {
                return Err(Error::NoKernel);
            }
            *home = kernel.clone();
        }
        Ok(())
    }

    fn enter(&self, context: Option<&Context>, task: Task<T>) {
        let (id, key) = (task.id(), task.handle().key);
        let watcher: Weak<dyn Watcher> = Rc::<Group<T>>::downgrade(&self.group);
        let alive = context.is_some_and(|context| {
            context.with_tables(|tables| match tables.find_task(key) {
                Some(index) => {
                    tables.watch(index, watcher);
                    true
                }
                None => false,
            })
        });
        let mut roll = self.group.roll.borrow_mut();
        let left = roll.sweep();
        let cancel = roll.enter(task);
        drop(roll);
        drop(left);
        if !alive {
            // The kernel has reported its failure.
            self.group.member_ended(id, true);
        } else if cancel {
            self.group.cancel(vec![key]);
        }
    }
}
