//! [`Generated`]: source in memory, and how it gets into a directory or is compared with what is there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::layout::MARK;
use crate::polish::tokens;
use crate::rustfmt;

/// Source, by file.
#[derive(Clone, Debug)]
pub struct Generated {
    files: BTreeMap<PathBuf, String>,
    inputs: Vec<PathBuf>,
}

impl Generated {
    pub(crate) fn new(files: BTreeMap<PathBuf, String>, inputs: Vec<PathBuf>) -> Self {
        Self { files, inputs }
    }

    /// The files, relative to the directory that they go to: `mod.rs`, and one for each part of a package's name.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().map(|(path, source)| (path.as_path(), source.as_str()))
    }

    /// The `.proto` files that were read: what it depends on.
    pub fn inputs(&self) -> &[PathBuf] {
        &self.inputs
    }

    /// Writes the files that differ from what is in `directory`, which is made if need be, and takes away those that were generated before and are no more: the
    /// directory holds what one `Generated` has, beside files of others. Returns those paths.
    ///
    /// Where there is a `rustfmt`, it formats what is written, as the project's `rustfmt.toml` has it.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`], [`Error::Write`], [`Error::Read`].
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
        let directory = directory.as_ref();
        make(directory)?;
        self.write_as(directory, |source| rustfmt::format(source, directory))
    }

    /// As [`write`](Self::write), for files that nobody reads.
    pub(crate) fn write_plain(&self, directory: &Path) -> Result<Vec<PathBuf>, Error> {
        self.write_as(directory, |_| None)
    }

    fn write_as(&self, directory: &Path, format: impl Fn(&str) -> Option<String>) -> Result<Vec<PathBuf>, Error> {
        let mut changed = Vec::new();
        for stale in self.check(directory)? {
            let path = directory.join(&stale.path);
            let failed = |source| Error::Write { path: path.clone(), source };
            match self.files.get(&stale.path) {
                Some(source) => {
                    if stale.why == Why::Differs && !is_generated(&path) {
                        return Err(Error::Foreign { path });
                    }
                    path.parent().map_or(Ok(()), make)?;
                    let formatted = format(source);
                    fs::write(&path, formatted.as_deref().unwrap_or(source)).map_err(failed)?;
                }
                None => fs::remove_file(&path).map_err(failed)?,
            }
            changed.push(path);
        }
        Ok(changed)
    }

    /// Says which files in `directory` are not what would be written there: none, if it is up to date.
    ///
    /// What counts is the code with its documentation. Formatting makes no difference, so source that was formatted in another way, or by another
    /// `rustfmt`, is up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub fn check(&self, directory: impl AsRef<Path>) -> Result<Vec<Stale>, Error> {
        let directory = directory.as_ref();
        let mut stale = Vec::new();
        for (path, source) in &self.files {
            let there = directory.join(path);
            let why = match fs::read_to_string(&there) {
                Ok(found) if tokens(&found) == tokens(source) => continue,
                Ok(_) => Why::Differs,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Why::Missing,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Why::Differs,
                Err(source) => return Err(Error::Read { path: there, source }),
            };
            stale.push(Stale { path: path.clone(), why });
        }
        let mut left = Vec::new();
        find_generated(directory, Path::new(""), &mut left)?;
        let superfluous = left.into_iter().filter(|path| !self.files.contains_key(path));
        stale.extend(superfluous.map(|path| Stale { path, why: Why::Superfluous }));
        Ok(stale)
    }
}

/// A file that is not what would be generated now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    path: PathBuf,
    why: Why,
}

impl Stale {
    /// The file, relative to the directory that was checked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// In which way it is stale.
    pub fn why(&self) -> Why {
        self.why
    }
}

/// `shop/v1.rs is not what the .proto files say`.
impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Missing => "is missing",
            Why::Differs => "is not what the .proto files say",
            Why::Superfluous => "is of a package that is no more",
        };
        write!(f, "{} {why}", self.path.display())
    }
}

/// In which way a file is stale.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It is not there.
    Missing,
    /// It is another one.
    Differs,
    /// It was generated, and would not be now.
    Superfluous,
}

fn make(directory: &Path) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(|source| Error::Write { path: directory.to_owned(), source })
}

fn is_generated(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|source| source.starts_with(MARK))
}

/// The files below `directory` that bear our mark.
fn find_generated(directory: &Path, within: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let here = directory.join(within);
    let failed = |source| Error::Read { path: here.clone(), source };
    let entries = match fs::read_dir(&here) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = within.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            find_generated(directory, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && is_generated(&entry.path()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}
