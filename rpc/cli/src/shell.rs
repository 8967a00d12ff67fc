//! What a shell and its user need to know of this command: completions and manual pages, made from the options themselves.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;

use crate::failure::Failure;
use crate::names;
use crate::options::{Completions, Man, Options};

/// Prints a shell's completions.
///
/// # Errors
///
/// [`Failure::Output`].
pub(crate) fn completions(options: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Options::command(), "fibra", &mut script);
    print(&script)
}

/// Prints a manual page, or writes all of them into a folder.
///
/// # Errors
///
/// [`Failure::Usage`]: there is no such command. [`Failure::Output`].
pub(crate) fn man(options: &Man) -> Result<(), Failure> {
    let command = command();
    if let Some(folder) = &options.out {
        return write_all(&command, folder).map_err(Failure::Output);
    }
    let page = match &options.command {
        None => page(&command),
        Some(name) => match command.find_subcommand(name) {
            Some(subcommand) => page(subcommand),
            None => {
                let known = command.get_subcommands().map(Command::get_name);
                return Err(Failure::usage(format!("there is no command `{name}`{}", names::hint(name, known))));
            }
        },
    };
    print(&page.map_err(Failure::Output)?)
}

/// With the names by which its subcommands have pages: `fibra-call`.
fn command() -> Command {
    let mut command = Options::command().disable_help_subcommand(true);
    command.build();
    command
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page)?;
    Ok(page)
}

fn write_all(command: &Command, folder: &Path) -> io::Result<()> {
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let path = folder.join(format!("{name}.1"));
        let written = fs::write(&path, page(command)?);
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}
