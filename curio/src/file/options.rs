//! How to open a file.

use std::panic::Location;
use std::path::Path;

use super::operations::Open;

/// How to open a file, as [`std::fs::OpenOptions`].
///
/// ```
/// use curio::file::OpenOptions;
///
/// let path = std::env::temp_dir().join(format!("curio-options-{}", std::process::id()));
/// curio::run(async {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path).await?;
///     log.write_all(b"one more line\n").await
/// })
/// .unwrap();
/// std::fs::remove_file(&path).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions(std::fs::OpenOptions);

macro_rules! option {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// ```
        /// let mut options = curio::file::OpenOptions::new();
        #[doc = concat!("options.", stringify!($name), "(true);")]
        /// ```
        pub fn $name(&mut self, yes: bool) -> &mut OpenOptions {
            self.0.$name(yes);
            self
        }
    };
}

impl OpenOptions {
    /// Nothing is chosen yet.
    ///
    /// ```
    /// let nothing = curio::file::OpenOptions::new();
    /// assert!(curio::run(nothing.open("Cargo.toml")).is_err());
    /// ```
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    option! {
        /// To read it.
        read
    }
    option! {
        /// To write it.
        write
    }
    option! {
        /// To write at its end, wherever the position is.
        append
    }
    option! {
        /// It is emptied.
        truncate
    }
    option! {
        /// It is made if it is not there.
        create
    }
    option! {
        /// It is made, and must not be there.
        create_new
    }

    /// Opens the file.
    ///
    /// *Waits* for the system. *Interrupted* by cancellation and timeouts: a file that is opened too late is closed again,
    /// but may have been made, or emptied.
    ///
    /// # Errors
    ///
    /// As for [`File::open`](super::File::open).
    ///
    /// See [`OpenOptions`] for an example.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Open {
        Open::new(self.0.clone(), path.as_ref().to_path_buf(), Location::caller())
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

/// For what `std` offers on one system only, as the flags of Unix.
impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
