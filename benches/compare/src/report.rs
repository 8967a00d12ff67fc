//! The report: tables on the terminal, JSON, a page, and a picture of its most telling plots.

mod axis;
mod bars;
mod figures;
mod json;
mod page;
mod picture;
mod plot;
mod rpc;
mod style;
pub(crate) mod text;

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::results::Results;

/// Writes the files into `folder` and returns their names, the one to open first.
pub(crate) fn write(results: &Results, folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let files = [
        ("compare.html", page::page(results)),
        ("compare.json", json::json(results)?),
        ("compare.svg", picture::picture(results)),
    ];
    let mut written = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content)?;
        written.push(fs::canonicalize(path)?);
    }
    Ok(written)
}
