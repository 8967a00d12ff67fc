//! The source that `build.rs` makes: that it compiles, without a warning, is the first test.

/// All packages of `proto/`.
pub mod api {
    include!(concat!(env!("OUT_DIR"), "/fibra/mod.rs"));
}
