//! `.proto` files in a directory of their own.

use std::fs;
use std::path::{Path, PathBuf};

use fibra_idl::{Error, Generated, Generator};

/// `.proto` files, in a directory that goes with this.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    /// Files by name and text.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let files = files.iter().map(|(name, text)| (directory.path().join(name), text));
        for (path, text) in files {
            fs::create_dir_all(path.parent().expect("it is in a directory")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is made of one of them.
    pub(crate) fn generate(&self, name: &str) -> Result<Generated, Error> {
        Generator::new().include(self.0.path()).generate(&[self.path(name)])
    }

    /// What is wrong with one of them, and those that it imports: a line each, as `file:line:column: message`.
    pub(crate) fn problems(&self, name: &str) -> Vec<String> {
        let error = self.generate(name).expect_err("something is wrong");
        let directory = format!("{}/", self.0.path().display());
        error.to_string().lines().map(|line| line.replace(&directory, "")).collect()
    }
}

/// A generated file's source.
pub(crate) fn source<'a>(generated: &'a Generated, name: &str) -> &'a str {
    let mut files = generated.files();
    files.find(|(path, _)| *path == Path::new(name)).map(|(_, source)| source).expect("there is such a file")
}
