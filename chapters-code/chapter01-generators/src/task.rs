//! A task: a generator that the scheduler looks after.

use std::fmt;

use crate::generator::{Generator, Step};

/// A generator with a name, in a box, so that tasks of different kinds fit into one queue.
pub struct Task {
    name: &'static str,
    generator: Box<dyn Generator<Yield = String>>,
}

impl Task {
    /// Puts the generator into a box. Nothing of it runs yet.
    pub fn new<G>(name: &'static str, generator: G) -> Task
    where
        G: Generator<Yield = String> + 'static,
    {
        Task {
            name,
            generator: Box::new(generator),
        }
    }

    /// The name it was given.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Gives the generator one turn.
    pub fn resume(&mut self) -> Step<String> {
        self.generator.resume()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
