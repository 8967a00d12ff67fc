//! The file's comments are the source's documentation, and none of them is run as a program.

use crate::support::{Files, source};

fn shop() -> Files {
    Files::new(&[(
        "shop.proto",
        "// The licence.\n\nsyntax = \"proto3\";\n\n// A package\n// in two lines.\npackage shop;\n\n// Belongs to nothing.\n// In two lines.\n\n// Neither does this.\n\n/* A message.\n * In a block. */\nmessage M {\n\
         // Before.\n  int32 a = 1; // Behind.\n  // A oneof.\n  oneof o {\n    // A member.\n    int32 b = 2;\n  }\n  // Within.\n  enum E {\n    // A value.\n    Z = 0;\n\n    // A note on values.\n\n    // Another value.\n    Y = 1;\n  }\n}\n\n\
         // Says [this] and https://example.com/a.\n//\n//     let x = 1;\n//\n// ```rust\n// panic!();\n// ```\nservice S {\n  // A method.\n  rpc F(M) returns (M);\n\n  // A note.\n\n  // Another method.\n  rpc G(M) returns (M);\n}\n",
    )])
}

#[test]
fn each_is_at_what_it_is_about() {
    let generated = shop().generate("shop.proto").expect("nothing is wrong");
    let docs = |source: &str, at: &str| {
        let lines: Vec<_> = source.lines().map(str::trim).collect();
        let line = lines.iter().position(|line| line.starts_with(at)).unwrap_or_else(|| panic!("no {at} in {source}"));
        let above: Vec<_> = lines[..line]
            .iter()
            .rev()
            .skip_while(|line| !line.starts_with("///") && !line.is_empty())
            .take_while(|line| line.starts_with("///"))
            .collect();
        above.into_iter().rev().map(|line| line.trim_start_matches('/').trim()).collect::<Vec<_>>().join("|")
    };
    let module = source(&generated, "mod.rs");
    assert_eq!(docs(module, "pub mod shop"), "A package|in two lines.");
    let shop = source(&generated, "shop.rs");
    for (at, expected) in [
        ("pub struct M", "A message.|In a block."),
        ("pub a:", "Before.||Behind."),
        ("pub o:", "A oneof."),
        ("pub enum O", "A oneof."),
        ("B(i32)", "A member."),
        ("pub enum E", "Within."),
        ("Z = 0", "A value."),
        ("fn f(", "A method."),
    ] {
        assert_eq!(docs(shop, at), expected, "{at}");
    }
    let end = "change that, and generate this anew.\n\n// The licence.\n\n// Belongs to nothing.\n// In two lines.\n\n// Neither does this.\n\n/// A message.\n";
    assert!(shop.contains(end), "{shop}");
    assert!(
        shop.contains("    // A note.\n\n    /// Another method.\n")
            && shop.contains("        // A note on values.\n\n        /// Another value.\n"),
        "{shop}"
    );
}

#[test]
fn none_is_a_program() {
    let generated = shop().generate("shop.proto").expect("nothing is wrong");
    let expected = "/// Says \\[this\\] and <https://example.com/a.>\n///\n/// ```text\n///      let x = 1;\n/// ```\n///\n/// ```text\n/// panic!();\n/// ```\n\
                    #[fibra::service(name = \"shop.s\")]\npub trait S {";
    assert!(source(&generated, "shop.rs").contains(expected), "{}", source(&generated, "shop.rs"));
}
