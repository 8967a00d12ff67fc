//! protox's errors as problems: which file, line and column.

use std::fs;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, SourceCode};

use crate::error::{Error, Problem};

/// What is wrong, found while `opened` was read.
pub(crate) fn of(error: &protox::Error, opened: &Path, includes: &[PathBuf]) -> Error {
    let file = error.file().map_or_else(|| opened.to_owned(), |name| on_disk(name, includes));
    let mut problems = Vec::new();
    gather(error, None, &file, &mut problems);
    Error::Invalid(problems)
}

/// An error, and those that were found with it.
fn gather(diagnostic: &dyn Diagnostic, outer: Option<&dyn SourceCode>, file: &Path, problems: &mut Vec<Problem>) {
    let source = diagnostic.source_code().or(outer);
    let message = one_line(diagnostic);
    let (line, column) = place(diagnostic, source).unwrap_or_else(|| place_in_text(&message, file));
    problems.push(Problem { file: file.to_owned(), line, column, message });
    for related in diagnostic.related().into_iter().flatten() {
        gather(related, source, file, problems);
    }
}

/// Where the error's label is. Of several, the one that is at fault rather than what it contradicts.
fn place(diagnostic: &dyn Diagnostic, source: Option<&dyn SourceCode>) -> Option<(usize, usize)> {
    let labels: Vec<_> = diagnostic.labels()?.collect();
    let says = |words: &[&str]| {
        labels.iter().find(|label| label.label().is_some_and(|text| words.iter().any(|word| text.contains(word))))
    };
    let label = says(&["again", "found", "used"])
        .or_else(|| labels.iter().find(|label| !label.label().is_some_and(|text| text.contains("range"))))
        .or(labels.first())?;
    let contents = source?.read_span(label.inner(), 0, 0).ok()?;
    Some((contents.line() + 1, contents.column() + 1))
}

/// Where an error is that has no label: at the import that closes a circle, or at the file's end.
fn place_in_text(message: &str, file: &Path) -> (usize, usize) {
    let Ok(text) = fs::read_to_string(file) else { return (1, 1) };
    if message.contains("end of file") {
        let last = text.lines().last().unwrap_or_default();
        return (text.lines().count().max(1), last.chars().count() + 1);
    }
    // "import cycle detected: a.proto -> b.proto -> a.proto"
    let circle = message.split_once(": ").map(|(_, circle)| circle.split(" -> "));
    let next = circle.and_then(|mut names| {
        names.find(|name| file.ends_with(name))?;
        names.next().map(|next| format!("\"{next}\""))
    });
    let import = |(index, line): (usize, &str)| {
        let column = line.trim_start().starts_with("import").then(|| line.find(next.as_deref()?)).flatten()?;
        Some((index + 1, column + 1))
    };
    text.lines().enumerate().find_map(import).unwrap_or((1, 1))
}

fn one_line(diagnostic: &dyn Diagnostic) -> String {
    let mut text = diagnostic.to_string();
    let mut source = std::error::Error::source(diagnostic);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    if let Some(help) = diagnostic.help() {
        text = format!("{text}; {help}");
    }
    text.lines().collect::<Vec<_>>().join(" ")
}

/// The file of that name, where protox will have found it.
fn on_disk(name: &str, includes: &[PathBuf]) -> PathBuf {
    includes.iter().map(|include| include.join(name)).find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
}
