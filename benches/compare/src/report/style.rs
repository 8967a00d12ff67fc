//! Colours, the same for a peer wherever it appears, for light and dark; and what else page and picture share.

use std::fmt::Write;

use crate::results::Results;

/// Of each peer: on a light ground, on a dark one.
const COLOURS: [(&str, &str, &str); 17] = [
    ("event-loop", "#4b5563", "#aab4c3"),
    ("fibra", "#d6281e", "#ff6f61"),
    ("tokio-current", "#1f6feb", "#5fa8ff"),
    ("tokio-multi", "#7a4fd6", "#b79bf5"),
    ("may", "#2b8a3e", "#5cc46f"),
    ("vthread", "#0b8a8f", "#41c9c9"),
    ("go", "#c2398f", "#f783c4"),
    ("threads", "#a8620f", "#e0a14a"),
    // Of remote calls: what two have in common is of one hue.
    ("floor", "#4b5563", "#aab4c3"),
    ("floor-proxy", "#8b94a3", "#7d8796"),
    ("fibra-raw", "#e06a62", "#d9534a"),
    ("fibra-idempotent", "#eb9b95", "#a8453e"),
    ("tarpc-bincode", "#2b8a3e", "#5cc46f"),
    ("tarpc-json", "#6fb07c", "#3f8f50"),
    ("tonic", "#1f6feb", "#5fa8ff"),
    ("go-gob", "#c2398f", "#f783c4"),
    ("go-json", "#d67fb8", "#b85f94"),
];

/// What else there is, on a light ground and on a dark one. Without variables: not everything that shows SVG knows them.
const LIGHT: Ground =
    Ground { ground: "#ffffff", text: "#1d2330", faint: "#667085", grid: "#e3e7ee", panel: "#f6f7f9" };
const DARK: Ground = Ground { ground: "#14171d", text: "#e6e9ef", faint: "#98a2b3", grid: "#2b313c", panel: "#1c2027" };

struct Ground {
    ground: &'static str,
    text: &'static str,
    faint: &'static str,
    grid: &'static str,
    panel: &'static str,
}

/// The style sheet of plots, in a picture or in a page.
pub(super) fn sheet() -> String {
    let light = colours(&LIGHT, |(name, light, _)| (name, light));
    let dark = colours(&DARK, |(name, _, dark)| (name, dark));
    format!(
        ":root{{color-scheme:light dark}}\n\
         text{{font:12px system-ui,sans-serif}}.title{{font-weight:600}}text.axis{{font-size:11px}}\n\
         .line{{fill:none;stroke-width:1.6}}.p-fibra .line{{stroke-width:3}}.mark{{stroke-width:.8}}.rest{{opacity:.45}}\n\
         {light}@media(prefers-color-scheme:dark){{\n{dark}}}\n"
    )
}

fn colours(
    ground: &Ground,
    of: fn((&'static str, &'static str, &'static str)) -> (&'static str, &'static str),
) -> String {
    let Ground { ground, text, faint, grid, panel } = ground;
    let mut out = format!(
        "body,.ground{{background:{ground};fill:{ground};color:{text}}}text{{fill:{text}}}.axis,.faint{{fill:{faint};color:{faint}}}\n\
         .grid{{stroke:{grid};border-color:{grid}}}th,td{{border-color:{grid}}}.panel,.plots>svg,pre{{background:{panel}}}\n\
         .mark{{stroke:{panel}}}\n"
    );
    for (name, colour) in COLOURS.map(of) {
        let _ = writeln!(
            out,
            ".p-{name} .line{{stroke:{colour}}}.p-{name} .mark,.p-{name} rect{{fill:{colour}}}.p-{name} pre{{border-color:{colour}}}"
        );
    }
    out
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
    use crate::rpc;
    use crate::servers::PEERS;

    #[test]
    fn every_peer_has_its_colour() {
        for peer in PEERS.iter().map(|peer| peer.name).chain(rpc::peers::PEERS.iter().map(|peer| peer.name)) {
            assert!(COLOURS.iter().any(|(name, ..)| *name == peer), "{peer}");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }
}
