//! A copy of the exercises in which they are built and tested, so that what a learner has changed in
//! the tests does not count, and nothing is written into the checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

use super::crates::Files;
use super::show::complain;

const LOCK: &str = "Cargo.lock";

/// A workspace of exercise crates below `target`.
#[derive(Clone, Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// A scratch workspace in this folder, which may hold the one of an earlier run.
    pub fn new(folder: PathBuf) -> Scratch {
        Scratch { folder }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps other processes out of the workspace, until the result is dropped. Waits for one that is in
    /// it now.
    pub fn lock(&self) -> Result<Flock<File>> {
        let path = self.folder.with_extension("lock");
        let cannot = || format!("{} cannot be written", path.display());
        fs::create_dir_all(path.parent().unwrap_or(&path)).with_context(cannot)?;
        let file = File::create(&path).with_context(cannot)?;
        let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, _)) => file,
        };
        complain!("Somebody else is checking in this checkout. Waiting until that is done.");
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .with_context(|| format!("{} cannot be locked", path.display()))
    }

    /// Makes the workspace hold just these files. What has not changed is not touched, so that it
    /// is not built again. A `Cargo.lock` that is there already stays: cargo has added to it.
    pub fn hold(&self, files: &Files) -> Result<()> {
        let cannot = || format!("{} cannot be written", self.folder.display());
        for path in files_below(&self.folder)? {
            if !files.contains_key(&path) && path != Path::new(LOCK) {
                fs::remove_file(self.folder.join(path)).with_context(cannot)?;
            }
        }
        for (path, text) in files {
            let is_lock = path == Path::new(LOCK);
            let path = self.folder.join(path);
            if fs::read_to_string(&path).is_ok_and(|present| is_lock || present == *text) {
                continue;
            }
            let parent = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(parent).with_context(cannot)?;
            fs::write(&path, text).with_context(cannot)?;
        }
        Ok(())
    }
}

/// The files below a folder, as paths in it. A folder that is not there has none.
pub fn files_below(base: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = base.join(&folder);
        if !path.exists() {
            continue;
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    Ok(found)
}
