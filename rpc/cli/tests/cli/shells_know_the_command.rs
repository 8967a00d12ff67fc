//! Completions and manual pages are made from the options, and name all of them.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::run;

const COMMANDS: [&str; 7] = ["list", "describe", "call", "bench", "gen", "completions", "man"];

#[test]
fn completions_name_every_command_and_option() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert_eq!((script.code, &*script.err), (0, ""), "{shell}");
        for word in COMMANDS.iter().chain(&["timeout", "connect-timeout", "callers"]) {
            assert!(script.out.contains(word), "no {word} for {shell}");
        }
    }
    run(&["completions", "tcsh"]).fails(2, &["invalid value 'tcsh'"]);
}

/// The shell itself reads them, and completes.
#[test]
fn bash_completes_by_them() {
    let script = run(&["completions", "bash"]).out;
    let complete = "\nCOMP_WORDS=(fibra ca); COMP_CWORD=1; _fibra fibra ca fibra; echo \"${COMPREPLY[@]}\"\n";
    let bash = Command::new("bash").args(["--norc", "-s"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut bash = bash.expect("there is a bash: .ci/run is written for it");
    bash.stdin.take().expect("piped").write_all((script + complete).as_bytes()).expect("it reads");
    let output = bash.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "call");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let page = run(&["man"]);
    assert!(page.code == 0 && page.out.contains(".TH fibra 1") && page.out.contains("Exit codes"), "{page:?}");
    for command in COMMANDS {
        let page = run(&["man", command]);
        assert!(page.code == 0 && page.out.contains(&format!("fibra\\-{command}")), "{page:?}");
    }
    run(&["man", "cal"]).fails(2, &["there is no command `cal`; did you mean `call`?"]);
}

#[test]
fn pages_are_written_into_a_folder() {
    let folder = std::env::temp_dir().join(format!("fibra-man-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    run(&["man", "--out", folder.to_str().expect("text")]).prints("");
    for command in COMMANDS {
        let page = std::fs::read_to_string(folder.join(format!("fibra-{command}.1"))).expect("a page");
        assert_eq!(page, run(&["man", command]).out);
    }
    std::fs::remove_dir_all(&folder).expect("it is ours");
    run(&["man", "--out", folder.to_str().expect("text")]).fails(1, &["the output cannot be written", "fibra.1"]);
}
