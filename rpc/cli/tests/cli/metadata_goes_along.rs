//! `--metadata` goes with the call, and with those that are made before it.

use crate::support::serve;

#[test]
fn several_entries_arrive() {
    let server = serve();
    let with = ["calculator.tenant", "tenant", "--metadata", "tenant=acme", "--metadata", "note=a=b"];
    server.call(&with).prints("\"acme\"\n");
    server.call(&["calculator.tenant", "note", "--metadata", "note=a=b"]).prints("\"a=b\"\n");
    server.call(&["calculator.tenant", "none"]).prints("null\n");
}

#[test]
fn what_is_no_metadata_is_refused() {
    let server = serve();
    server.call(&["calculator.tenant", "x", "--metadata", "x"]).fails(2, &["metadata is KEY=VALUE"]);
    let long = format!("x={}", "y".repeat(10_000));
    server
        .call(&["calculator.tenant", "x", "--metadata", &long])
        .fails(2, &["--metadata x: metadata of more than 8192 bytes"]);
}
