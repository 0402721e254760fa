//! `cargo x watch`: checks the exercise again whenever a file is saved, and goes on to the next when
//! it is solved.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use anyhow::{Context, Result};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};

use super::crates::{Chapter, Files, read_text_files};
use super::manifest::Exercise;
use super::session::Session;
use super::show::{FAINT, GOOD, say, styled};

/// How often files are looked at where the system does not report changes: on some shared folders.
const LOOK: Duration = Duration::from_millis(500);

const KEYS: &str = "Save a file to check again.  h hint  l list  r reset  q quit";

enum Event {
    Saved,
    Key(u8),
    /// Nobody types any more.
    End,
}

/// Watches until all exercises are solved, or `q` is pressed.
pub fn watch(session: &mut Session, from: Option<&str>) -> Result<()> {
    let (send, events) = channel();
    let _watchers = watch_files(&session.workshop.exercises(), &send)?;
    let _keys = read_keys(send)?;

    let mut current = session.chosen(from)?;
    while work_on(session, &current.0, &current.1, &events)? {
        match session.next_open(&current.1) {
            Some(next) => current = next,
            None => {
                say!("{}", styled(GOOD, "That was the last one: all exercises are solved."));
                break;
            }
        }
        say!("");
    }
    Ok(())
}

/// Works on one exercise. Returns whether it was solved; if not, the learner wants to leave.
fn work_on(
    session: &mut Session,
    chapter: &Chapter,
    exercise: &Exercise,
    events: &Receiver<Event>,
) -> Result<bool> {
    session.introduce(chapter, exercise);
    let mut seen = Files::new();
    let mut look_again = true;
    loop {
        if look_again {
            let now = sources(session, chapter)?;
            if now != seen {
                seen = now;
                if session.check(chapter, exercise)? {
                    return Ok(true);
                }
                say!("{}", styled(FAINT, KEYS));
            }
        }
        look_again = false;
        match events.recv().context("nothing is watched any more")? {
            Event::Saved => {
                // An editor writes more than once. What comes in this moment is one change.
                thread::sleep(Duration::from_millis(50));
                look_again = true;
            }
            Event::Key(b'h') => session.hint(exercise)?,
            Event::Key(b'l') => session.list(),
            Event::Key(b'r') => {
                session.reset(chapter, exercise)?;
                look_again = true;
            }
            Event::Key(b'q') | Event::End => return Ok(false),
            Event::Key(_) => {}
        }
    }
}

/// What the checked crate is made of, so that a change of anything else is none.
fn sources(session: &Session, chapter: &Chapter) -> Result<Files> {
    let mut files = Files::new();
    let members = session.workshop.chapters.iter();
    let own = session.workshop.is_own()?;
    for member in members.filter(|member| own || member.name == chapter.name) {
        let folder = session.workshop.exercises().join(&member.name);
        let mut inside = Files::new();
        read_text_files(&folder, Path::new("src"), &mut inside)?;
        files.extend(
            inside.into_iter().map(|(path, text)| (PathBuf::from(&member.name).join(path), text)),
        );
    }
    Ok(files)
}

/// Has the system report changes, and looks for itself, too: on some file systems no report comes.
fn watch_files(folder: &Path, send: &Sender<Event>) -> Result<Vec<Box<dyn Watcher>>> {
    let handler = |send: &Sender<Event>| {
        let send = send.clone();
        move |change: notify::Result<notify::Event>| {
            // Reading the files is reported, too, and we read them ourselves.
            if change.is_ok_and(|change| !change.kind.is_access()) {
                // After the end nobody listens.
                let _ = send.send(Event::Saved);
            }
        }
    };
    let mut watchers: Vec<Box<dyn Watcher>> = Vec::new();
    if let Ok(mut watcher) = RecommendedWatcher::new(handler(send), Config::default())
        && watcher.watch(folder, RecursiveMode::Recursive).is_ok()
    {
        watchers.push(Box::new(watcher));
    }
    let mut watcher = PollWatcher::new(handler(send), Config::default().with_poll_interval(LOOK))?;
    watcher
        .watch(folder, RecursiveMode::Recursive)
        .with_context(|| format!("{} cannot be watched", folder.display()))?;
    watchers.push(Box::new(watcher));
    Ok(watchers)
}

/// Sends every key that is pressed. The terminal is as it was when the result is dropped.
fn read_keys(send: Sender<Event>) -> Result<Option<SingleKeys>> {
    let keys = match io::stdin().is_terminal() {
        true => Some(SingleKeys::start()?),
        false => None,
    };
    thread::spawn(move || {
        for byte in io::stdin().lock().bytes().map_while(|byte| byte.ok()) {
            if send.send(Event::Key(byte)).is_err() {
                return;
            }
        }
        let _ = send.send(Event::End);
    });
    Ok(keys)
}

/// How the terminal was before it was told to give each key at once.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal gives each key at once, and does not echo it. Ctrl-C works as ever.
struct SingleKeys;

impl SingleKeys {
    fn start() -> Result<SingleKeys> {
        let before = tcgetattr(io::stdin())?;
        let mut single = before.clone();
        single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &single)?;
        Ok(SingleKeys)
    }
}

impl Drop for SingleKeys {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Makes the terminal what it was before `watch`, also when the process is told to end.
pub fn restore_terminal() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    }
}
