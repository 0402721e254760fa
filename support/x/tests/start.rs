//! What `make start` says on a machine that lacks something, where it stops before it builds anything.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Mutex;

/// What the script calls, besides what it looks for.
const USUAL: [&str; 10] =
    ["sh", "cat", "dirname", "expr", "grep", "head", "mkdir", "sed", "sort", "uname"];

const LINUX: &str = "[ \"$1\" = -r ] && echo 6.1.0 || echo Linux";
const CARGO: &str = "echo 'cargo 1.999.0 (0123456 2030-01-01)'";
const LINKER: &str = "cat >/dev/null";

/// A script cannot be run while anybody has it open for writing, and a child that another test starts
/// has, for a moment, what that test has open.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs the script in a new checkout, where only the usual commands are, and these: each the name
/// and the body of a script. Gives what `make start` says before it stops.
fn refusal(machine: &str, commands: &[(&str, &str)]) -> String {
    let _guard = ONE_AT_A_TIME.lock();
    let home = env::temp_dir().join(format!("mini-runtime-{}-{machine}", process::id()));
    let (checkout, bin) = (home.join("a checkout"), home.join("bin"));
    fs::create_dir_all(checkout.join("support")).unwrap();
    fs::create_dir_all(&bin).unwrap();
    for file in ["Cargo.toml", "support/start.sh", "support/tools.sh"] {
        // Cargo runs tests in the folder of their crate.
        fs::copy(Path::new("../..").join(file), checkout.join(file)).unwrap();
    }
    let is_given = |name: &&str| commands.iter().any(|(given, _)| given == name);
    for name in USUAL.iter().filter(|name| !is_given(name)) {
        symlink(find(name), bin.join(name)).unwrap();
    }
    for (name, body) in commands {
        let command = bin.join(name);
        fs::write(&command, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&command, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let output = Command::new(bin.join("sh"))
        .arg(checkout.join("support/start.sh"))
        .env("PATH", &bin)
        .env("HOME", &home)
        .output()
        .unwrap();
    fs::remove_dir_all(&home).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn find(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|command| command.exists())
        .unwrap_or_else(|| panic!("`{name}` is missing on this machine"))
}

fn assert_says(said: &str, sentence: &str) {
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_mac_is_sent_to_a_virtual_machine() {
    let said = refusal("mac", &[("uname", "echo Darwin")]);
    assert_says(&said, "epoll, which macOS does not have");
    assert_says(&said, "a Linux virtual machine or a container");
}

#[test]
fn windows_is_sent_to_wsl_2() {
    for name in ["MINGW64_NT-10.0-26100", "MSYS_NT-10.0", "CYGWIN_NT-10.0"] {
        let said = refusal(name, &[("uname", &format!("echo {name}"))]);
        assert_says(&said, "use WSL 2");
    }
}

#[test]
fn wsl_1_is_sent_to_wsl_2() {
    let uname = "[ \"$1\" = -r ] && echo 4.4.0-19041-Microsoft || echo Linux";
    assert_says(&refusal("wsl-1", &[("uname", uname)]), "wsl --set-version");
}

#[test]
fn a_machine_without_cargo_is_told_where_to_get_it() {
    assert_says(&refusal("no-cargo", &[("uname", LINUX)]), "Cargo is missing. Install Rust");
}

#[test]
fn a_cargo_that_is_too_old_is_told_what_is_needed() {
    let old = "echo 'cargo 1.9.0 (0123456 2016-01-01)'";
    let said = refusal("old-cargo", &[("uname", LINUX), ("cargo", old)]);
    assert_says(&said, "Cargo 1.9.0 is too old");
    assert_says(&said, "rustup update stable");
}

#[test]
fn a_cargo_that_does_not_run_is_told_how_to_get_one() {
    let said = refusal("no-toolchain", &[("uname", LINUX), ("cargo", "exit 1")]);
    assert_says(&said, "rustup default stable");
}

#[test]
fn a_machine_without_a_linker_is_told_how_to_get_one() {
    let said = refusal("no-linker", &[("uname", LINUX), ("cargo", CARGO)]);
    assert_says(&said, "sudo apt install build-essential");
}

#[test]
fn without_a_network_the_first_start_says_so() {
    let cargo = format!("[ \"$1\" = --version ] || exit 101; {CARGO}");
    let commands = [("uname", LINUX), ("cc", LINKER), ("cargo", &cargo)];
    assert_says(&refusal("no-network", &commands), "Is there a network?");
}
