//! Makes source of `proto/`, as a user's build script does.

fn main() -> Result<(), fibra_idl::Error> {
    fibra_idl::compile(
        &[
            "proto/kinds.proto",
            "proto/services.proto",
            "proto/old.proto",
            "proto/odd/names.proto",
            "proto/odd/nopackage.proto",
        ],
        &["proto"],
    )
}
