//! `cargo x doctor`: what this machine has, and what it lacks.

use std::process::Command;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::utsname::uname;

use super::show::{BAD, GOOD, say, styled};

/// Looks at what the workshop needs. Says what is missing and how to get it; returns whether
/// everything is there.
pub fn doctor() -> bool {
    let checks = [
        system(),
        program("cargo", "--version", "install Rust as https://rustup.rs says"),
        program(
            "cc",
            "--version",
            "install a C compiler, for example with `apt install build-essential`",
        ),
        program("git", "--version", "install git; it brings starters back that were lost"),
        descriptors(),
    ];
    for check in &checks {
        match check {
            Ok(found) => say!("{}  {found}", styled(GOOD, "ok     ")),
            Err(missing) => say!("{}  {missing}", styled(BAD, "missing")),
        }
    }
    checks.iter().all(Result::is_ok)
}

type Check = Result<String, String>;

fn system() -> Check {
    let system = uname().map_err(|error| format!("the system does not tell its name: {error}"))?;
    let (name, release) = (system.sysname().display(), system.release().display());
    match system.sysname() == "Linux" {
        true => Ok(format!("Linux {release}")),
        false => Err(format!(
            "Linux: this is {name}, which has no epoll. Use a virtual machine, or WSL 2"
        )),
    }
}

fn program(name: &str, argument: &str, remedy: &str) -> Check {
    let missing = || format!("{name}: {remedy}");
    let output = Command::new(name).arg(argument).output().map_err(|_| missing())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text.lines().next().unwrap_or(name).to_string()),
        false => Err(missing()),
    }
}

fn descriptors() -> Check {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    match limit >= 256 {
        true => Ok(format!("{limit} file descriptors for each process")),
        false => Err(format!(
            "file descriptors: a process may have {limit}, and the tests need 256: `ulimit -n 1024`"
        )),
    }
}
