//! [`Generator`]: from files to source, step by step.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use prost_build::Module;
use prost_reflect::FileDescriptor;

use crate::error::Error;
use crate::generated::Generated;
use crate::layout::Layout;
use crate::places::Problems;
use crate::services::{Plans, Traits};
use crate::sources::Sources;
use crate::types::Elsewhere;
use crate::{comments, conflicts, messages, names};

/// What to make source of, and how.
///
/// ```no_run
/// use fibra_idl::Generator;
///
/// let generated = Generator::new().include("proto").generate(&["proto/shop.proto"])?;
/// generated.write("src/api")?; // fibra gen proto/shop.proto --include proto --out src/api
/// for stale in generated.check("src/api")? {
///     println!("{stale}"); // fibra gen .. --check
/// }
/// # Ok::<(), fibra_idl::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Generator {
    includes: Vec<PathBuf>,
    elsewhere: Vec<(String, String)>,
}

impl Generator {
    /// One with defaults: no include directory, no type that is elsewhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks in `directory` for what is imported; in several, in the order in which they were named. The files themselves are in such a directory,
    /// too. Default: the directory of each file.
    #[must_use]
    pub fn include(mut self, directory: impl Into<PathBuf>) -> Self {
        self.includes.push(directory.into());
        self
    }

    /// Takes a message, an enum or a whole package from elsewhere, and generates nothing for it: `google.type.Date`, or `google.type`, is what has that
    /// name at `path`, such as `::google_types`. It is to be prost's and serde's.
    #[must_use]
    pub fn extern_path(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.elsewhere.push((name.into(), path.into()));
        self
    }

    /// Makes source of `files` and all that they import. They are named by their paths, or as they are called in an include directory.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], with all problems that were found: places in the `.proto` files. [`Error::Read`], [`Error::ExternPath`].
    pub fn generate(&self, files: &[impl AsRef<Path>]) -> Result<Generated, Error> {
        let files: Vec<_> = files.iter().map(|file| file.as_ref().to_owned()).collect();
        let sources = Sources::read(&files, &self.includes)?;
        let elsewhere = Rc::new(Elsewhere::new(&self.elsewhere)?);
        let mut problems = Problems::new(&sources);
        conflicts::check(&sources, &elsewhere, &mut problems);
        let plans = Plans::of(&sources, &elsewhere, &mut problems);
        problems.finish()?;

        let mut config = messages::config(&sources, &elsewhere);
        config.service_generator(Box::new(Traits { plans, elsewhere }));
        // All files, for prost-build has to know all messages; it writes only those that are nowhere else. In the order of their names, so that it does
        // not matter in which they were given.
        let mut all: Vec<_> = sources.pool.files().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        let module = |file: &FileDescriptor| Module::from_protobuf_package_name(file.package_name());
        let requests = all.iter().map(|file| (module(file), file.file_descriptor_proto().clone())).collect();
        let internal =
            |error: std::io::Error| Error::Internal { path: PathBuf::from("mod.rs"), message: error.to_string() };
        let modules = config.generate(requests).map_err(internal)?;
        let mut layout = Layout::default();
        // Of a package that is all elsewhere there is no module.
        for file in sources.files().filter(|file| modules.contains_key(&module(file))) {
            layout.add(names::module(file.package_name()), file.name(), package_docs(&file), comments::of_file(&file));
        }
        for (module, source) in modules {
            layout.set_source(&module.parts().map(str::to_owned).collect::<Vec<_>>(), source);
        }
        Ok(Generated::new(layout.files()?, sources.inputs()))
    }
}

/// What is written above the package's name.
fn package_docs(file: &FileDescriptor) -> Option<&str> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    info.location.iter().find(|location| location.path == [2])?.leading_comments.as_deref()
}
