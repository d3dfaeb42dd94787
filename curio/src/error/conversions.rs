//! From other errors, and to the one that foreign adapters know (E2, E3).

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::Error;

/// An error of somebody else's making; see [`Error::other`].
pub struct Other(Box<Box<dyn StdError + Send + Sync>>);

impl Other {
    /// The error itself, to look at or to downcast.
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &**self.0
    }

    /// The error itself, taken out.
    pub fn into_inner(self) -> Box<dyn StdError + Send + Sync> {
        *self.0
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Error {
    /// Wraps any other error, for `map_err(Error::other)?`. A `curio::Error` inside it is recovered, so an interruption
    /// that travelled through another error type is an interruption again.
    ///
    /// ```
    /// use curio::Error;
    /// let e = Error::other("no coffee left");
    /// assert_eq!(e.to_string(), "no coffee left");
    /// ```
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let error = error.into();
        match error.downcast::<Error>() {
            Ok(own) => *own,
            Err(error) => match error.downcast::<io::Error>() {
                Ok(io) => Error::from(*io),
                Err(error) => Error::Other(Other(Box::new(error))),
            },
        }
    }
}

/// An interruption that an adapter wrapped is recovered (E2). A timeout of the operating system stays [`Error::Io`].
impl From<io::Error> for Error {
    fn from(e: io::Error) -> Error {
        match e.downcast::<Error>() {
            Ok(own) => own,
            Err(e) => Error::Io(e),
        }
    }
}

/// Timeouts become [`io::ErrorKind::TimedOut`], everything else `Other`; the conversion back restores the error (E2, E3).
impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        match e {
            Error::Io(e) => e,
            Error::Timeout(_) | Error::TimeoutCancellation(_) | Error::UncaughtTimeout => {
                io::Error::new(io::ErrorKind::TimedOut, e)
            }
            e => io::Error::other(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Progress;
    use super::*;

    #[test]
    fn interruptions_survive_io_errors() {
        for (error, kind) in [
            (Error::cancelled(), io::ErrorKind::Other),
            (Error::Timeout(Progress::of_bytes(7)), io::ErrorKind::TimedOut),
            (
                Error::TimeoutCancellation(Progress::default()),
                io::ErrorKind::TimedOut,
            ),
        ] {
            let text = error.to_string();
            let io = io::Error::from(error);
            assert_eq!(io.kind(), kind);
            let back = Error::from(io);
            assert!(back.is_cancellation());
            assert_eq!(back.to_string(), text);
            let again = Error::other(io::Error::from(back));
            assert_eq!(again.to_string(), text);
        }
    }

    #[test]
    fn a_timeout_of_the_system_is_not_ours() {
        let e = Error::from(io::Error::from(io::ErrorKind::TimedOut));
        assert!(matches!(e, Error::Io(_)));
        assert!(!e.is_cancellation());
    }
}
