//! `fibra gen`: Rust source of `.proto` files, and whether what is there is up to date. The work is fibra-idl's.

use fibra_idl::{Error, Generator};

use crate::failure::Failure;
use crate::options::Gen;
use crate::output;

/// Writes the source, and prints what has changed; or says what is stale.
///
/// # Errors
///
/// [`Failure::Usage`]: something is wrong in the files. [`Failure::Failed`]: something is stale, or cannot be read or written.
pub(crate) fn generate(options: &Gen) -> Result<(), Failure> {
    let generator = options.include.iter().fold(Generator::new(), Generator::include);
    let generator =
        options.extern_path.iter().fold(generator, |generator, (name, path)| generator.extern_path(name, path));
    let generated = generator.generate(&options.files)?;
    let out = options.out.display();
    if !options.check {
        let changed = generated.write(&options.out)?;
        return changed.iter().try_for_each(|path| output::line(&path.display().to_string()));
    }
    let stale = generated.check(&options.out)?;
    if stale.is_empty() {
        return Ok(());
    }
    let list: String = stale.iter().map(|stale| format!("\n  {stale}")).collect();
    Err(Failure::Failed(format!("{out} is not up to date: run the same without --check{list}")))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(_) => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}
