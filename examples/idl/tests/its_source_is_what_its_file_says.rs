//! The committed source is what would be generated now. After a change of the `.proto` file:
//!
//! ```text
//! FIBRA_IDL=overwrite cargo test -p fibra-example-idl
//! ```

use std::path::Path;

use fibra_idl::Generator;

#[test]
fn the_committed_source_is_not_stale() -> Result<(), fibra_idl::Error> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = Generator::new().generate(&[package.join("proto/shop.proto")])?;
    let api = package.join("src/api");
    if std::env::var_os("FIBRA_IDL").is_some_and(|value| value == "overwrite") {
        generated.write(&api)?;
    }
    let stale: Vec<_> = generated.check(&api)?.iter().map(ToString::to_string).collect();
    assert!(stale.is_empty(), "{stale:?}: FIBRA_IDL=overwrite cargo test -p fibra-example-idl");
    Ok(())
}
