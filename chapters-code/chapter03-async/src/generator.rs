//! What a function that can stop in the middle looks like from outside: it hands something out, and is given something
//! back.

/// A function that stops at each value it hands out, and goes on with the answer when it is resumed.
///
/// A generator is idle until someone calls [`resume`](Generator::resume). It then runs on the caller's stack up to
/// its next stop, and idles again. Between two calls, everything it must remember is in `self`.
pub trait Generator {
    /// What it hands out at each stop.
    type Yield;

    /// What it is given when it goes on.
    type Answer;

    /// Runs up to the next stop, or to the end. `answer` belongs to what it handed out at the last stop.
    ///
    /// Once this has returned [`Step::Complete`], it returns `Complete` for ever.
    fn resume(&mut self, answer: Self::Answer) -> Step<Self::Yield>;
}

/// Why a call to [`Generator::resume`] came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<Y> {
    /// The generator stopped in the middle, and hands this out.
    Yielded(Y),
    /// The generator reached its end. There is nothing left to resume.
    Complete,
}
