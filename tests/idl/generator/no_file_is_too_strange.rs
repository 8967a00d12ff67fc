//! Random files, and random damage to good ones: source that is Rust, or problems that are in the file; never anything else.

use fibra_idl::{Error, Generator};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;

use crate::support::Files;

/// Names that are words of Rust, of its library, of ours, or are written in a way that Rust's are not.
const NAMES: [&str; 44] = [
    "a",
    "B",
    "fooBar",
    "foo_bar",
    "FooBar",
    "_x",
    "x_",
    "x__y",
    "x1",
    "_1",
    "X_1",
    "HTTPServer",
    "type",
    "Type",
    "self",
    "Self",
    "super",
    "crate",
    "fn",
    "async",
    "match",
    "Option",
    "option",
    "Result",
    "String",
    "Vec",
    "Box",
    "Some",
    "None",
    "Ok",
    "std",
    "core",
    "prost",
    "fibra",
    "serde",
    "Server",
    "Client",
    "new",
    "within",
    "clone",
    "Message",
    "message",
    "optional",
    "Default",
];

const SCALARS: [&str; 8] =
    ["int32", "string", "bytes", "double", "bool", "sint64", "fixed32", "google.protobuf.Timestamp"];

fn name() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..])
}

/// The type of a field: a scalar, a well-known one, or some name, which may be there or not.
fn field_type() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(&SCALARS[..]).prop_map(str::to_owned), 1 => name().prop_map(str::to_owned)]
}

fn field(number: usize) -> impl Strategy<Value = String> {
    let plain = (select(&["", "optional ", "repeated "][..]), field_type(), name());
    let plain = plain.prop_map(move |(label, ty, name)| format!("{label}{ty} {name} = {};\n", number + 1));
    let map =
        (field_type(), name()).prop_map(move |(ty, name)| format!("map<string, {ty}> {name} = {};\n", number + 1));
    let oneof = (name(), field_type(), name())
        .prop_map(move |(oneof, ty, name)| format!("oneof {oneof} {{ {ty} {name} = {}; }}\n", number + 1));
    prop_oneof![4 => plain, 1 => map, 1 => oneof]
}

fn fields() -> impl Strategy<Value = String> {
    (0..4_usize).prop_flat_map(|count| (0..count).map(field).collect::<Vec<_>>()).prop_map(|fields| fields.concat())
}

fn message() -> impl Strategy<Value = String> {
    let leaf = (name(), fields()).prop_map(|(name, fields)| format!("message {name} {{\n{fields}}}\n"));
    leaf.prop_recursive(3, 8, 2, |inner| {
        let within = prop_oneof![2 => inner, 1 => enumeration()];
        (name(), fields(), prop::collection::vec(within, 0..3))
            .prop_map(|(name, fields, inner)| format!("message {name} {{\n{fields}{}}}\n", inner.concat()))
    })
}

fn enumeration() -> impl Strategy<Value = String> {
    (name(), prop::collection::vec(name(), 1..4)).prop_map(|(name, values)| {
        let values: String =
            values.iter().enumerate().map(|(number, value)| format!("{value} = {number};\n")).collect();
        format!("enum {name} {{\n{values}}}\n")
    })
}

fn service() -> impl Strategy<Value = String> {
    let stream = || select(&["", "stream "][..]);
    let options = [
        "",
        "option idempotency_level = IDEMPOTENT;",
        "option (fibra.maybe) = true;",
        "option (fibra.ordered) = true;",
        "option (fibra.lane) = \"type\";",
        "option (fibra.error) = \"Known\";",
        "option (fibra.infallible) = true;",
        "option deprecated = true;",
    ];
    let ty = || prop_oneof![3 => Just("Known"), 1 => Just("google.protobuf.Empty"), 1 => name()];
    let method = (name(), stream(), ty(), stream(), ty(), prop::sample::subsequence(options.to_vec(), 0..3));
    let method = method.prop_map(|(name, from, request, to, reply, options)| {
        format!("rpc {name}({from}{request}) returns ({to}{reply}) {{\n{}\n}}\n", options.join("\n"))
    });
    (name(), prop::collection::vec(method, 0..3))
        .prop_map(|(name, methods)| format!("service {name} {{\n{}}}\n", methods.concat()))
}

fn file() -> impl Strategy<Value = String> {
    let package = prop::collection::vec(name(), 0..3)
        .prop_map(|names| if names.is_empty() { String::new() } else { format!("package {};\n", names.join(".")) });
    let items = prop::collection::vec(prop_oneof![3 => message(), 1 => enumeration(), 1 => service()], 0..4);
    (package, items).prop_map(|(package, items)| {
        let imports = ["fibra/options", "google/protobuf/empty", "google/protobuf/timestamp"]
            .map(|name| format!("import \"{name}.proto\";\n"));
        format!("syntax = \"proto3\";\n{package}{}message Known {{}}\n{}", imports.concat(), items.concat())
    })
}

/// Source, or problems that are there in the file. Whether it was source.
fn check(text: &str) -> Result<bool, TestCaseError> {
    let files = Files::new(&[("api.proto", text)]);
    match files.generate("api.proto") {
        Ok(generated) => {
            let again = Generator::new().generate(&[files.path("api.proto")]).expect("as before");
            prop_assert!(generated.files().eq(again.files()), "the same file is the same source");
            Ok(true)
        }
        Err(Error::Invalid(problems)) => {
            prop_assert!(!problems.is_empty());
            for problem in &problems {
                prop_assert_eq!(problem.file(), files.path("api.proto"));
                let line = text.lines().nth(problem.line() - 1).unwrap_or_default();
                prop_assert!(problem.column() <= line.len() + 1, "{problem} is not in {line:?}");
                prop_assert!(!problem.message().contains('\n'));
            }
            Ok(false)
        }
        Err(error) => Err(TestCaseError::fail(format!("{error}\n{text}"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_random_file_is_source_or_has_problems(text in file()) {
        check(&text)?;
    }

    #[test]
    fn damage_is_a_problem_in_the_file(text in file(), at in any::<prop::sample::Index>(), length in 0..12_usize, put in "\\PC{0,3}") {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let end = (at + length).min(chars.len());
        chars.splice(at..end, put.chars());
        check(&chars.into_iter().collect::<String>())?;
    }
}

#[test]
fn random_files_are_often_source() {
    // So that the tests above are of both.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let source = (0..100).filter(|_| {
        let text = file().new_tree(&mut runner).expect("a file").current();
        check(&text).expect("source or problems")
    });
    let count = source.count();
    assert!((20..=90).contains(&count), "{count} of 100");
}
