//! What the figures were measured on, and with.

use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::cpu;

/// The crates whose versions matter.
const CRATES: [&str; 12] = [
    "async-executor",
    "async-io",
    "async-net",
    "compio",
    "futures",
    "glommio",
    "io-uring",
    "mini-runtime",
    "monoio",
    "polling",
    "rustix",
    "tokio",
];

#[derive(Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    pub rustc: String,
    pub date: String,
    pub versions: serde_json::Map<String, serde_json::Value>,
}

impl Machine {
    pub fn here() -> Machine {
        Machine {
            cpu: cpu_model().unwrap_or_else(unknown),
            cpus: cpu::count(),
            kernel: kernel(&said_by("uname", &["-sr"])),
            rustc: said_by("rustc", &["-V"]),
            date: said_by("date", &["-u", "+%F"]),
            versions: versions(include_str!("../Cargo.lock")),
        }
    }

    /// In one line.
    pub fn describe(&self) -> String {
        let Machine { cpu, cpus, kernel, rustc, date, .. } = self;
        format!("{cpu}, {cpus} CPUs, {kernel}, {rustc}, {date}")
    }

    /// The versions of the peers, in one line.
    pub fn describe_versions(&self) -> String {
        let named = |(name, version): (&String, &serde_json::Value)| {
            format!("{name} {}", version.as_str().unwrap_or_default())
        };
        self.versions.iter().map(named).collect::<Vec<_>>().join(", ")
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Without what its builders have added to the version.
fn kernel(said: &str) -> String {
    said.split('-').next().unwrap_or_default().to_owned()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let said = output.and_then(|output| String::from_utf8(output.stdout).ok());
    said.map_or_else(unknown, |said| said.trim().to_owned())
}

/// What the lock file says of the crates above. Where it has several versions of one, the latest of them.
fn versions(lock: &str) -> serde_json::Map<String, serde_json::Value> {
    let quoted = |line: &str, key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?;
        Some(value.to_owned())
    };
    let mut versions = serde_json::Map::new();
    let mut name = String::new();
    for line in lock.lines() {
        if let Some(found) = quoted(line, "name") {
            name = found;
        } else if let Some(version) = quoted(line, "version")
            && CRATES.contains(&name.as_str())
        {
            versions.insert(name.clone(), version.into());
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_named_without_what_its_builders_have_added() {
        assert_eq!(kernel("Linux 6.12.9-1-amd64"), "Linux 6.12.9");
        assert_eq!(kernel("Linux 6.12.9"), "Linux 6.12.9");
    }

    #[test]
    fn the_lock_file_tells_the_versions_of_all_peers() {
        let versions = versions(include_str!("../Cargo.lock"));
        for name in CRATES {
            assert!(versions.contains_key(name), "{name} is not there");
        }
    }
}
