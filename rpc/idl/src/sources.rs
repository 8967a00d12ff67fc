//! The `.proto` files: found, read, and checked by protobuf's rules.
//!
//! An import is looked for in the include directories, then among what comes with this crate: fibra's options, protobuf's well-known types.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use prost_reflect::{DescriptorPool, FileDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::diagnosis;
use crate::error::Error;

/// The name by which fibra's options are imported.
pub(crate) const OPTIONS_FILE: &str = "fibra/options.proto";

/// Files and all that they import, by protobuf's rules right.
pub(crate) struct Sources {
    pub(crate) pool: DescriptorPool,
    /// Where the files are that are on disk, by the names under which they are imported.
    paths: HashMap<String, PathBuf>,
}

impl Sources {
    /// Reads `files`. Without include directories, each file's own is one.
    pub(crate) fn read(files: &[PathBuf], includes: &[PathBuf]) -> Result<Self, Error> {
        let includes = if includes.is_empty() { parents(files) } else { includes.to_vec() };
        let mut resolver = ChainFileResolver::new();
        for include in &includes {
            resolver.add(IncludeFileResolver::new(include.clone()));
        }
        resolver.add(Own);
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_source_info(true).include_imports(true);
        for file in files {
            // What is not there is the system's to name, not a matter of include directories.
            let is_included = || includes.iter().any(|include| include.join(file).exists());
            if let Err(source) = std::fs::metadata(file)
                && !is_included()
            {
                return Err(Error::Read { path: file.clone(), source });
            }
            compiler.open_file(file).map_err(|error| diagnosis::of(&error, file, &includes))?;
        }
        let paths =
            compiler.files().filter_map(|file| Some((file.name().to_owned(), file.path()?.to_owned()))).collect();
        Ok(Self { pool: compiler.descriptor_pool(), paths })
    }

    /// The files that source is made of: not what comes with this crate.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileDescriptor> {
        self.pool.files().filter(|file| file.name() != OPTIONS_FILE && !file.name().starts_with("google/protobuf/"))
    }

    /// Where a file is; its name, if it came with this crate.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.paths.get(name).cloned().unwrap_or_else(|| PathBuf::from(name))
    }

    /// All files that were read from disk.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        let mut inputs: Vec<_> = self.paths.values().cloned().collect();
        inputs.sort();
        inputs
    }
}

fn parents(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut parents = Vec::new();
    for file in files {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parents.iter().any(|known| known == parent) {
            parents.push(parent.to_owned());
        }
    }
    parents
}

/// What comes with this crate.
struct Own;

impl FileResolver for Own {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == OPTIONS_FILE {
            File::from_source(name, crate::OPTIONS)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}
