//! Colours, the same for a peer wherever it appears, for light and dark; and what else page and picture share.

use std::fmt::Write;

use crate::results::Results;

/// Of each peer: on a light ground, on a dark one.
const COLOURS: [(&str, &str, &str); 8] = [
    ("event-loop", "#4b5563", "#aab4c3"),
    ("fibra", "#d6281e", "#ff6f61"),
    ("tokio-current", "#1f6feb", "#5fa8ff"),
    ("tokio-multi", "#7a4fd6", "#b79bf5"),
    ("may", "#2b8a3e", "#5cc46f"),
    ("vthread", "#0b8a8f", "#41c9c9"),
    ("go", "#c2398f", "#f783c4"),
    ("threads", "#a8620f", "#e0a14a"),
];

/// Everything that a plot needs, wherever it stands.
const PLOTS: &str = "
text{font:12px system-ui,sans-serif;fill:var(--text)}
.title{font-weight:600}.axis{fill:var(--faint);font-size:11px}
.grid{stroke:var(--grid);stroke-width:1}
.line{fill:none;stroke:var(--peer);stroke-width:1.6}.mark{fill:var(--peer);stroke:var(--ground);stroke-width:.8}
.p-fibra .line{stroke-width:3}
.bar{fill:var(--peer)}.rest{fill:var(--peer);opacity:.45}
";

/// The style sheet of plots, as a picture or a part of a page.
pub(super) fn sheet() -> String {
    let mut light = String::from("--ground:#fff;--text:#1d2330;--faint:#667085;--grid:#e3e7ee;--panel:#f6f7f9;");
    let mut dark = String::from("--ground:#14171d;--text:#e6e9ef;--faint:#98a2b3;--grid:#2b313c;--panel:#1c2027;");
    let mut classes = String::new();
    for (name, on_light, on_dark) in COLOURS {
        let _ = write!(light, "--{name}:{on_light};");
        let _ = write!(dark, "--{name}:{on_dark};");
        let _ = writeln!(classes, ".p-{name}{{--peer:var(--{name})}}");
    }
    format!(
        ":root{{color-scheme:light dark;{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n{classes}{PLOTS}"
    )
}

/// The mark of the subject at `index` in line plots, around the origin: shapes differ, too, not only colours.
pub(super) fn mark(index: usize) -> &'static str {
    const MARKS: [&str; 4] = [
        "M-3.5,-3.5h7v7h-7z",
        "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
        "M0,-4.5L4.5,3.5H-4.5z",
        "M0,-5L4.5,0L0,5L-4.5,0z",
    ];
    MARKS[index % MARKS.len()]
}

/// A legend of `width`, and its height.
pub(super) fn legend(results: &Results, width: f64) -> (String, f64) {
    let mut out = String::new();
    let (mut x, mut y) = (0.0, 12.0);
    for (index, subject) in results.subjects.iter().enumerate().filter(|(_, subject)| subject.absent.is_none()) {
        let advance = 34.0 + 6.6 * subject.peer.label.chars().count() as f64;
        if x + advance > width {
            (x, y) = (0.0, y + 20.0);
        }
        let _ = writeln!(
            out,
            r#"<g class="p-{}" transform="translate({x:.0},{y:.0})"><path class="line" d="M0,-4h18"/><path class="mark" transform="translate(9,-4)" d="{}"/><text x="24">{}</text></g>"#,
            subject.peer.name,
            mark(index),
            escape(subject.peer.label),
        );
        x += advance;
    }
    (out, y + 8.0)
}

/// `text` as part of a document.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::PEERS;

    #[test]
    fn every_peer_has_its_colour() {
        for peer in &PEERS {
            assert!(COLOURS.iter().any(|(name, ..)| *name == peer.name), "{}", peer.name);
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }
}
