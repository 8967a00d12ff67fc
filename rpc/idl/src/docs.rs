//! Comments as documentation: what rustdoc would take for a program, and run as a test, is text.

use crate::comments;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, MetaNameValue, parse_quote};

/// Fences what is indented, and says of every fence that it is text.
pub(crate) fn make_text(attrs: &mut Vec<Attribute>) {
    let Some(first) = attrs.iter().position(|attr| line(attr).is_some()) else { return };
    let lines: Vec<_> = attrs.iter().filter_map(line).collect();
    attrs.retain(|attr| line(attr).is_none());
    let (plain, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.starts_with(comments::MARK));
    let lines = fenced(&lines);
    let docs = plain.iter().chain(&lines).map(|line| -> Attribute { parse_quote!(#[doc = #line]) });
    attrs.splice(first..first, docs);
}

/// The text of one line of documentation.
fn line(attr: &Attribute) -> Option<String> {
    match &attr.meta {
        Meta::NameValue(MetaNameValue { path, value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), .. })
            if path.is_ident("doc") =>
        {
            Some(text.value())
        }
        _ => None,
    }
}

/// Lines as rustdoc shows them as they are meant. Each begins with the blank that separates it from its slashes.
fn fenced(lines: &[String]) -> Vec<String> {
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    let begin = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(begin, |last| last + 1);
    let mut out: Vec<String> = Vec::new();
    let mut within = Within::Text;
    let mut before_is_blank = true;
    let mut in_list = false;
    for line in &lines[begin..end] {
        let text = line.strip_prefix(' ').unwrap_or(line);
        let fence = ["```", "~~~"].into_iter().find(|fence| text.trim_start().starts_with(fence));
        let is_indented = text.starts_with("    ") || text.starts_with('\t');
        if within == Within::Indented && !is_indented && !text.is_empty() {
            // Blank lines at a block's end are not its own.
            let blank = out.iter().rev().take_while(|line| line.is_empty()).count();
            let at = out.len() - blank;
            out.insert(at, " ```".to_owned());
            within = Within::Text;
        }
        match within {
            Within::Text if let Some(fence) = fence => {
                within = Within::Fence(fence);
                let margin = &text[..text.len() - text.trim_start().len()];
                out.push(format!(" {margin}{fence}text"));
                before_is_blank = false;
                continue;
            }
            // In a list it is the item's next paragraph.
            Within::Text if is_indented && before_is_blank && !in_list => {
                within = Within::Indented;
                out.push(" ```text".to_owned());
            }
            Within::Fence(open) if fence == Some(open) => within = Within::Text,
            _ => {}
        }
        let item = text.trim_start();
        let is_item = item.starts_with("- ")
            || item.starts_with("* ")
            || item.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        in_list = is_item || in_list && (text.is_empty() || text.starts_with(' '));
        before_is_blank = text.is_empty();
        out.push((*line).to_owned());
    }
    match within {
        Within::Text => {}
        Within::Fence(open) => out.push(format!(" {open}")),
        Within::Indented => out.push(" ```".to_owned()),
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Text,
    /// Opened by these characters.
    Fence(&'static str),
    Indented,
}

#[cfg(test)]
mod tests {
    use super::fenced;

    fn check(comment: &str, expected: &str) {
        let lines: Vec<_> = comment.lines().map(str::to_owned).collect();
        assert_eq!(fenced(&lines).join("\n"), expected, "{comment}");
    }

    #[test]
    fn what_is_indented_is_fenced() {
        check(
            " Adds:\n\n     1 + 1\n\n     2 + 2\n\n Done.",
            " Adds:\n\n ```text\n     1 + 1\n\n     2 + 2\n ```\n\n Done.",
        );
        check("     all of it", " ```text\n     all of it\n ```");
    }

    #[test]
    fn a_fence_is_one_of_text() {
        check(" Say:\n ```rust\n f();\n ```\n Done.", " Say:\n ```text\n f();\n ```\n Done.");
        check(" ```\n open", " ```text\n open\n ```");
        check(" ~~~\n ```\n ~~~", " ~~~text\n ```\n ~~~");
    }

    #[test]
    fn a_list_stays_one() {
        check(" * one\n\n     more of one\n * two", " * one\n\n     more of one\n * two");
        check(" a line\n     that goes on", " a line\n     that goes on");
    }

    #[test]
    fn blank_lines_around_go() {
        check("\n \n text\n \n", " text");
    }
}
