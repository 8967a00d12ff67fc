//! What can go wrong, and where.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing was generated.
///
/// Shown with `{:?}` it is as it is with `{}`, so that a build script whose `main` returns it says what is wrong.
#[non_exhaustive]
pub enum Error {
    /// The `.proto` files are not right. There is one problem at least.
    Invalid(Vec<Problem>),
    /// A file could not be read.
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written, or a directory not be made.
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that was not generated is where one would be written. Name another directory, or move it.
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// [`extern_path`](crate::Generator::extern_path) was given what is no name of protobuf's, or no path of Rust's.
    ExternPath {
        /// The name.
        name: String,
        /// The path.
        path: String,
    },
    /// There is no `OUT_DIR`: [`compile`](crate::compile) is for build scripts.
    NoOutDir,
    /// What was generated is not Rust: a bug in this crate.
    Internal {
        /// Of which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    /// The problems of the `.proto` files, if it is these.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(problems) => problems,
            _ => &[],
        }
    }
}

/// Problems are a line each, `api.proto:3:5: ..`; all else is one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "\n" })?;
                    problem.fmt(f)?;
                }
                Ok(())
            }
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::Foreign { path } => {
                write!(f, "{} is there and was not generated: name another directory, or move it", path.display())
            }
            Self::ExternPath { name, path } => {
                write!(
                    f,
                    "cannot find `{name}` at `{path}`: write a name such as google.type, and a path such as ::google_type"
                )
            }
            Self::NoOutDir => {
                f.write_str("there is no OUT_DIR: call this from a build script, or write to a directory that you name")
            }
            Self::Internal { path, message } => {
                write!(f, "the source for {} is not Rust ({message}): a bug in fibra-idl", path.display())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::Invalid(_)
            | Self::Foreign { .. }
            | Self::ExternPath { .. }
            | Self::NoOutDir
            | Self::Internal { .. } => None,
        }
    }
}

/// One thing that is wrong in a `.proto` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl Problem {
    /// The file: a path that can be opened from here, or what it was called where there is none.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `api.proto:3:5: what is wrong`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}
