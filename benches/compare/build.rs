//! Tells the program which compiler built it, for its report; and has tonic write its stubs, which it can without protoc.

use std::env;
use std::process::Command;

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let version = env::var("RUSTC")
        .ok()
        .and_then(|rustc| Command::new(rustc).arg("--version").output().ok())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |version| version.trim().to_owned());
    println!("cargo::rustc-env=COMPARE_RUSTC={version}");
    println!("cargo::rerun-if-changed=build.rs");

    let add = Method::builder()
        .name("add")
        .route_name("Add")
        .input_type("super::AddRequest")
        .output_type("super::AddReply")
        .codec_path("tonic_prost::ProstCodec");
    let calculator = Service::builder().name("Calculator").package("calculator").method(add.build()).build();
    Builder::new().compile(&[calculator]);
}
