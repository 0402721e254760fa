//! What the compiler refuses, and how it is mended.
//!
//! Each file in `compile_fail` begins with lines `//~ …`: all of these stand in what the compiler says
//! of it. With `--cfg mended` it compiles without a warning.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What the compiler says of a file, and whether it takes it.
fn compile(file: &Path, is_mended: bool) -> (bool, String) {
    let out = TempDir::new().expect("there is room for a folder");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"])
        .args(["--color", "never", "--check-cfg", "cfg(mended)"])
        .arg("--out-dir")
        .arg(out.path());
    if is_mended {
        rustc.args(["--cfg", "mended"]);
    }
    let output = rustc.arg(file).output().expect("the compiler can be started");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Compiles a file in both ways.
fn check(file: &Path) -> Result<(), String> {
    let source = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let expected: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//~ ")).collect();
    if expected.is_empty() {
        return Err("the first line does not say what is expected".into());
    }
    let (compiles, text) = compile(file, false);
    if compiles {
        return Err("it compiles, and should not".into());
    }
    for expected in expected {
        if !text.contains(expected) {
            return Err(format!("the compiler does not say {expected:?}, but\n{text}"));
        }
    }
    let (compiles, text) = compile(file, true);
    if !compiles || !text.is_empty() {
        return Err(format!("the compiler says of the mended one\n{text}"));
    }
    Ok(())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail")
}

/// Makes a test of each file, and one that finds those that were forgotten.
macro_rules! refused {
    ($($file:ident)*) => {
        $(
            #[test]
            fn $file() {
                let file = folder().join(concat!(stringify!($file), ".rs"));
                check(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            }
        )*

        #[test]
        fn every_file_has_a_test() {
            let mut files: Vec<String> = fs::read_dir(folder())
                .expect("the folder is there")
                .map(|entry| entry.expect("it can be read").path())
                .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
                .collect();
            files.sort();
            assert_eq!(files, [$(stringify!($file)),*]);
        }
    };
}

refused! {
    async_fn_in_a_dyn_trait
    async_fn_in_a_generic_spawn
    borrowed_local
    guard_across_await
    guard_dropped_before_await
    mutex_of_a_cell
    rc_across_await
    reference_to_a_cell
}

/// What is said of a file with this in it.
#[track_caller]
fn complaint(source: &str) -> String {
    let folder = TempDir::new().expect("there is room for a folder");
    let file = folder.path().join("case.rs");
    fs::write(&file, source).expect("there is room for a file");
    check(&file).expect_err("it should not pass")
}

#[test]
fn a_file_that_compiles_is_reported() {
    let said = complaint("//~ error[E0308]: mismatched types\n");
    assert_eq!(said, "it compiles, and should not");
}

#[test]
fn a_file_that_is_refused_for_another_reason_is_reported() {
    let source = "//~ error[E0308]: mismatched types\npub fn f() { unknown() }\n";
    let said = complaint(source);
    assert!(said.starts_with("the compiler does not say \"error[E0308]"), "{said}");
    assert!(said.contains("E0425"), "{said}");
}

#[test]
fn a_mended_file_that_is_refused_or_draws_a_warning_is_reported() {
    let failing = "//~ error[E0308]: mismatched types\n#[cfg(not(mended))] pub fn f() -> u32 {}\n";
    let refused = "#[cfg(mended)] pub fn f() { unknown() }\n";
    let said = complaint(&format!("{failing}{refused}"));
    assert!(said.contains("mended") && said.contains("E0425"), "{said}");

    let warned = "#[cfg(mended)] pub fn f(unused: u32) {}\n";
    let said = complaint(&format!("{failing}{warned}"));
    assert!(said.contains("mended") && said.contains("unused variable"), "{said}");
}

#[test]
fn a_file_that_expects_nothing_is_reported() {
    let said = complaint("pub fn f() { unknown() }\n");
    assert_eq!(said, "the first line does not say what is expected");
}
