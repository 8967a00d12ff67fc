//! Messages and packages that are in another crate are named there, and not generated.

use fibra_idl::{Error, Generated, Generator};

use crate::support::{Files, source};

const MONEY: &str = "syntax = \"proto3\";\npackage common.v1;\nmessage Money { int64 cents = 1; message Unit { string name = 1; } }\nenum Mood { GOOD = 0; }\n";
const SHOP: &str = "syntax = \"proto3\";\npackage shop;\nimport \"money.proto\";\nimport \"fibra/options.proto\";\nimport \"google/protobuf/api.proto\";\n\
    import \"google/protobuf/timestamp.proto\";\n\
    message Price { common.v1.Money money = 1; common.v1.Money.Unit unit = 2; common.v1.Mood mood = 3; google.protobuf.Api api = 4; google.protobuf.Timestamp at = 5; }\n\
    service S { rpc F(common.v1.Money) returns (Price) { option (fibra.error) = \"common.v1.Money.Unit\"; } }\n";

fn generate(generator: Generator) -> Generated {
    let files = Files::new(&[("money.proto", MONEY), ("shop.proto", SHOP)]);
    let generator = generator.extern_path("google.protobuf.Api", "::elsewhere::Api");
    generator.generate(&[files.path("shop.proto")]).expect("nothing is wrong")
}

#[test]
fn a_package_is_in_another_crate() {
    let generated = generate(Generator::new().extern_path("common.v1", "::common::v1"));
    let names: Vec<_> = generated.files().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(names, ["mod.rs", "shop.rs"]);
    let shop = source(&generated, "shop.rs");
    for expected in [
        "pub money: Option<common::v1::Money>",
        "pub unit: Option<common::v1::money::Unit>",
        "enumeration = \"::common::v1::Mood\"",
        "pub api: Option<elsewhere::Api>",
        "pub at: Option<fibra::proto::Timestamp>",
        "common::v1::Money) -> Result<Price, common::v1::money::Unit>",
    ] {
        assert!(
            shop.replace("(\n        &self,\n        request: ", "").replace(",\n    )", ")").contains(expected),
            "{expected} in {shop}"
        );
    }
}

#[test]
fn a_message_is_in_another_crate() {
    let generated = generate(
        Generator::new()
            .extern_path(".common.v1.Money", "crate::Money")
            .extern_path("common.v1.Money.Unit", "crate::MoneyUnit")
            .extern_path("google.protobuf.Timestamp", "::mine::Time"),
    );
    let shop = source(&generated, "shop.rs");
    for expected in
        ["pub money: Option<crate::Money>", "pub unit: Option<crate::MoneyUnit>", "pub mood: i32", "Option<mine::Time>"]
    {
        assert!(shop.contains(expected), "{expected} in {shop}");
    }
    let common = source(&generated, "common/v1.rs");
    assert!(common.contains("enum Mood") && !common.contains("struct Money"), "{common}");
}

#[test]
fn what_is_no_name_or_no_path_is_refused() {
    let files = Files::new(&[("money.proto", MONEY)]);
    for (name, path) in
        [("common..v1", "::a"), ("", "::a"), ("common v1", "::a"), ("common.v1", "no path"), ("common.v1", "")]
    {
        let error =
            Generator::new().extern_path(name, path).generate(&[files.path("money.proto")]).expect_err("it is wrong");
        assert!(matches!(&error, Error::ExternPath { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("cannot find `{name}` at `{path}`: ")), "{error}");
    }
}
