//! How long a clean release build takes, and of how many crates.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::output::output;
use crate::stats::quantile;

const ROUNDS: usize = 3;

/// What is built: a crate that has this one dependency.
const BUILT: [(&str, &str); 2] = [
    ("mini-runtime", concat!("{ path = \"", env!("CARGO_MANIFEST_DIR"), "/../mini-runtime\" }")),
    ("tokio", "{ version = \"1\", features = [\"rt\", \"net\", \"time\", \"io-util\", \"sync\"] }"),
];

/// Builds both in turns, and prints what it took.
///
/// # Errors
/// If one cannot be built, or nothing printed.
pub fn run() -> io::Result<()> {
    let folder = TempDir::new()?;
    let mut crates = Vec::new();
    for (name, dependency) in BUILT {
        let place = folder.path().join(name);
        prepare(&place, name, dependency)?;
        crates.push(count(&place)?);
    }
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((name, _), took) in BUILT.iter().zip(&mut took) {
            took.push(build(&folder.path().join(name))?.as_secs_f64());
        }
    }
    let medians = took.map(|mut took| {
        took.sort_unstable_by(f64::total_cmp);
        quantile(&took, 0.5)
    });
    let mut out = output();
    for (((name, _), crates), median) in BUILT.iter().zip(&crates).zip(medians) {
        writeln!(
            out,
            "{name}: a clean release build takes {median:.2} s, and has {crates} crates"
        )?;
    }
    writeln!(out, "mini-runtime takes {:.2} times as long as tokio", medians[0] / medians[1])
}

/// Makes a crate with one dependency, and fetches that.
fn prepare(place: &Path, name: &str, dependency: &str) -> io::Result<()> {
    fs::create_dir_all(place.join("src"))?;
    fs::write(place.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[workspace]\n[package]\nname = \"builds-{name}\"\nedition = \"2024\"\n\
         [dependencies]\n{name} = {dependency}\n"
    );
    fs::write(place.join("Cargo.toml"), manifest)?;
    // The versions of all other measurements.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), place.join("Cargo.lock"))?;
    cargo(place, &["fetch", "--quiet"]).map(drop)
}

/// How many crates there are in the normal dependency tree, the one that is built included.
fn count(place: &Path) -> io::Result<usize> {
    let tree = cargo(place, &["tree", "-e", "normal", "--prefix", "none", "--no-dedupe"])?;
    let crates: BTreeSet<&str> =
        tree.lines().filter(|line| !line.starts_with("builds-")).map(|line| line.trim()).collect();
    Ok(crates.len())
}

fn build(place: &Path) -> io::Result<Duration> {
    let target = place.join("target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let begin = Instant::now();
    cargo(place, &["build", "--release", "--quiet", "--offline"])?;
    Ok(begin.elapsed())
}

fn cargo(place: &Path, arguments: &[&str]) -> io::Result<String> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(arguments)
        .current_dir(place)
        .env("CARGO_TARGET_DIR", place.join("target"))
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("cargo {}: {said}", arguments.join(" "))));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}
