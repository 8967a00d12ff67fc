//! On what it was measured.

use std::process::Command;
use std::{fs, thread};

use serde::Serialize;

use crate::options::Options;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    pub(crate) date: String,
    pub(crate) compiler: String,
}

impl Machine {
    pub(crate) fn new(options: &Options) -> Self {
        let uname = rustix::system::uname();
        let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        Machine {
            name: options.machine.clone().unwrap_or_else(|| processor().unwrap_or_else(|| part(uname.machine()))),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("{} {}", part(uname.sysname()), part(uname.release())),
            date: options.date.clone().or_else(today).unwrap_or_else(|| "undated".to_owned()),
            compiler: env!("COMPARE_RUSTC").to_owned(),
        }
    }
}

/// As the kernel knows it, and whether it is a virtual one.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.split_once(':')).map(|(_, value)| value.trim())
    };
    let name = value("model name").or_else(|| value("Hardware"))?;
    let flags = value("flags").unwrap_or_default();
    let is_virtual = flags.split(' ').any(|flag| flag == "hypervisor");
    Some(format!("{name}{}", if is_virtual { ", virtual machine" } else { "" }))
}

fn today() -> Option<String> {
    let output = Command::new("date").arg("+%Y-%m-%d").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
