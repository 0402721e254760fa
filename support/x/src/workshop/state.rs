//! What a learner has done so far: one plain file, `exercises/.progress`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The learner's progress. Losing it loses no code: a solved exercise is solved again by one check.
#[derive(Debug, Default)]
pub struct State {
    path: PathBuf,
    solved: BTreeSet<String>,
    /// How many hints of an exercise have been shown.
    hints: BTreeMap<String, usize>,
    /// The hint that fits what failed last.
    fitting: BTreeMap<String, usize>,
}

impl State {
    /// Reads the progress. Lines that make no sense come back as the second value; the file is kept
    /// under another name then.
    pub fn read(path: PathBuf) -> Result<(State, Option<String>)> {
        let cannot = || format!("{} cannot be read", path.display());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(cannot),
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut state = State { path, ..State::default() };
        let mut damaged = 0;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if state.understand(line).is_none() {
                damaged += 1;
            }
        }
        if damaged == 0 {
            return Ok((state, None));
        }
        let kept = state.path.with_file_name(".progress-damaged");
        let complaint = match fs::write(&kept, &bytes) {
            Ok(()) => format!(
                "{damaged} line(s) of {} make no sense and are left out; the file as it was is now {}.",
                state.path.display(),
                kept.display()
            ),
            Err(_) => format!("{damaged} line(s) of {} make no sense.", state.path.display()),
        };
        Ok((state, Some(complaint)))
    }

    fn understand(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["solved", id] => {
                self.solved.insert(id.to_string());
            }
            ["hints", id, count] => {
                self.hints.insert(id.to_string(), count.parse().ok()?);
            }
            ["fitting", id, hint] => {
                self.fitting.insert(id.to_string(), hint.parse().ok()?);
            }
            _ => return None,
        }
        Some(())
    }

    fn write(&self) -> Result<()> {
        let mut text = String::new();
        for id in &self.solved {
            writeln!(text, "solved {id}")?;
        }
        for (id, count) in &self.hints {
            writeln!(text, "hints {id} {count}")?;
        }
        for (id, hint) in &self.fitting {
            writeln!(text, "fitting {id} {hint}")?;
        }
        replace(&self.path, &text)
    }

    pub fn is_solved(&self, id: &str) -> bool {
        self.solved.contains(id)
    }

    pub fn set_solved(&mut self, id: &str, solved: bool) -> Result<()> {
        let changed = match solved {
            true => self.solved.insert(id.into()),
            false => self.solved.remove(id),
        };
        match changed {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Remembers which hint fits what has just failed.
    pub fn set_fitting(&mut self, id: &str, hint: Option<usize>) -> Result<()> {
        let before = match hint {
            Some(hint) => self.fitting.insert(id.into(), hint),
            None => self.fitting.remove(id),
        };
        if before == hint {
            return Ok(());
        }
        // Something else has failed: the hint that fits it comes first again.
        self.hints.remove(id);
        self.write()
    }

    /// The hint to be shown next, of `count`: the one that fits first, then the others in turn. When
    /// all were shown, they come again.
    pub fn next_hint(&mut self, id: &str, count: usize) -> Result<usize> {
        let shown = self.hints.entry(id.into()).or_default();
        let turn = *shown % count;
        *shown += 1;
        let first = self.fitting.get(id).copied().unwrap_or(0).min(count - 1);
        let others = (0..count).filter(|hint| *hint != first);
        let hint = std::iter::once(first).chain(others).nth(turn).unwrap_or(first);
        self.write()?;
        Ok(hint)
    }
}

/// Writes a file so that it is either the old one or the new one, whatever happens meanwhile.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let fresh =
        path.with_file_name(format!("{}.new", path.file_name().unwrap_or_default().display()));
    fs::write(&fresh, text).with_context(cannot)?;
    fs::rename(&fresh, path).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn read(folder: &TempDir) -> (State, Option<String>) {
        State::read(folder.path().join(".progress")).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = TempDir::new().unwrap();
        let (mut state, complaint) = read(&folder);
        assert_eq!(complaint, None);
        state.set_solved("04.1", true).unwrap();
        state.set_solved("04.2", true).unwrap();
        state.set_solved("04.2", false).unwrap();
        state.set_fitting("04.3", Some(1)).unwrap();

        let (mut state, complaint) = read(&folder);
        assert_eq!(complaint, None);
        assert!(state.is_solved("04.1") && !state.is_solved("04.2"));
        assert_eq!(state.next_hint("04.3", 3).unwrap(), 1);
        assert_eq!(read(&folder).0.next_hint("04.3", 3).unwrap(), 0);
    }

    #[test]
    fn the_fitting_hint_comes_first_and_then_the_others_in_turn() {
        let folder = TempDir::new().unwrap();
        let (mut state, _) = read(&folder);
        state.set_fitting("04.1", Some(2)).unwrap();
        let shown: Vec<usize> = (0..5).map(|_| state.next_hint("04.1", 3).unwrap()).collect();
        assert_eq!(shown, [2, 0, 1, 2, 0]);
        state.set_fitting("04.1", Some(1)).unwrap();
        assert_eq!(state.next_hint("04.1", 3).unwrap(), 1);
    }

    #[test]
    fn damaged_lines_are_left_out_and_the_file_is_kept() {
        let folder = TempDir::new().unwrap();
        let damaged = b"solved 04.1\nhints 04.2 many\n\xff\xfe\n";
        fs::write(folder.path().join(".progress"), damaged).unwrap();
        let (mut state, complaint) = read(&folder);
        assert!(complaint.unwrap().starts_with("2 line(s) of "));
        assert!(state.is_solved("04.1"));
        state.set_solved("04.2", true).unwrap();
        assert_eq!(read(&folder).1, None);
        assert_eq!(fs::read(folder.path().join(".progress-damaged")).unwrap(), damaged);
    }
}
