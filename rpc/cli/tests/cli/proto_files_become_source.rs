//! `fibra gen` writes source, tells what has changed, and with `--check` what is stale.

use std::fs;
use std::path::PathBuf;

use crate::support::{Ran, run};

const SHOP: &str = "\
syntax = \"proto3\";
package shop;
// What is bought.
message Order { string item = 1; }
service Orders { rpc Place(Order) returns (Order); }
";

/// A folder with a file, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Self(std::env::temp_dir().join(format!("fibra-gen-{test}-{}", std::process::id())));
        fs::create_dir(&folder.0).expect("a folder");
        folder.write("shop.proto", SHOP);
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("it is ours");
    }

    fn generate(&self, more: &[&str]) -> Ran {
        run(&[&["gen", &self.path("shop.proto"), "--out", &self.path("api")], more].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a folder for such things does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_has_changed_is_printed() {
    let folder = Folder::new("changed");
    let written = format!("{}\n{}\n", folder.path("api/mod.rs"), folder.path("api/shop.rs"));
    folder.generate(&[]).prints(&written);
    let source = fs::read_to_string(folder.path("api/shop.rs")).expect("it was written");
    assert!(source.contains("/// What is bought.\n") && source.contains("pub trait Orders"), "{source}");
    folder.generate(&[]).prints("");
}

#[test]
fn what_is_stale_is_told_and_not_written() {
    let folder = Folder::new("stale");
    let stale = folder.generate(&["--check"]);
    stale.fails(
        1,
        &["is not up to date: run the same without --check\n", "\n  mod.rs is missing", "\n  shop.rs is missing"],
    );
    assert!(!folder.0.join("api").exists());
    folder.generate(&[]);
    folder.generate(&["--check"]).prints("");
    folder.write("shop.proto", &SHOP.replace("string", "bytes"));
    folder.generate(&["--check"]).fails(1, &["\n  shop.rs is not what the .proto files say"]);
}

#[test]
fn mistakes_are_told_with_their_places() {
    let folder = Folder::new("mistakes");
    folder.write("shop.proto", &SHOP.replace("returns (Order)", "returns (Ordr)"));
    folder.generate(&[]).fails(2, &[&format!("{}:5:", folder.path("shop.proto")), "Ordr"]);
    assert!(!folder.0.join("api").exists());
    run(&["gen", &folder.path("none.proto"), "--out", &folder.path("api")]).fails(1, &["none.proto"]);
    run(&["gen", &folder.path("shop.proto")]).fails(2, &["--out"]);
    folder.generate(&["--extern-path", "x"]).fails(2, &["NAME=PATH"]);
}

#[test]
fn what_is_imported_is_looked_for_where_it_was_said() {
    let folder = Folder::new("imports");
    fs::create_dir(folder.path("common")).expect("it is ours");
    folder.write("common/money.proto", "syntax = \"proto3\";\npackage money;\nmessage Price { int64 cents = 1; }\n");
    folder.write(
        "shop.proto",
        &SHOP
            .replace("package shop;", "package shop;\nimport \"money.proto\";")
            .replace("string item", "money.Price item"),
    );
    folder.generate(&[]).fails(2, &["money.proto"]);
    let [here, common] = [folder.path(""), folder.path("common")];
    let ran = folder.generate(&["--include", &here, "--include", &common]);
    assert!(ran.code == 0 && ran.out.contains("money.rs"), "{ran:?}");
    let taken = folder.generate(&["--include", &here, "--include", &common, "--extern-path", "money=::money_types"]);
    assert!(taken.code == 0, "{taken:?}");
    let source = fs::read_to_string(folder.path("api/shop.rs")).expect("it was written");
    assert!(source.contains("money_types::Price"), "{source}");
}
