use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fs, io};

const WELCOME: &str = "<!doctype html>
<title>Chapter 7</title>
<p>Hello from the HTTP server of chapter 7: one thread, one reactor, a task for each client.</p>
";

/// What [`http`](super::http) serves: files, all of them in memory.
///
/// Reading a file blocks the thread, and with it every client (chapter 9 is about that). So all is
/// read before the first client comes. It also follows that no path, however crooked, leads out of
/// the directory: a request is not a way through the file system, but a name that is known or not.
#[derive(Debug, Default)]
pub struct Site {
    files: HashMap<Vec<u8>, File>,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Site {
    /// A site of one page, which says hello.
    pub fn welcome() -> Site {
        let mut site = Site::default();
        site.add("/index.html", WELCOME);
        site
    }

    /// Adds a file. Its `path` starts with a slash, and is not percent-encoded.
    pub fn add(&mut self, path: impl Into<Vec<u8>>, body: impl Into<Vec<u8>>) {
        let (path, body) = (path.into(), body.into());
        let content_type = content_type(&path);
        self.files.insert(path, File { content_type, body });
    }

    /// Reads a directory, and those below it, into memory.
    ///
    /// Names that start with a dot are left out, since few of them are meant for the public (`.git`).
    /// So are symbolic links, which may lead anywhere, and all else that is no file or directory.
    ///
    /// # Errors
    /// If something cannot be read. The error says what.
    pub fn load(directory: impl AsRef<Path>) -> io::Result<Site> {
        let mut site = Site::default();
        site.load_below(directory.as_ref(), b"/")?;
        Ok(site)
    }

    fn load_below(&mut self, directory: &Path, prefix: &[u8]) -> io::Result<()> {
        for entry in naming(directory, fs::read_dir(directory))? {
            let entry = naming(directory, entry)?;
            let (source, name) = (entry.path(), entry.file_name());
            if name.as_bytes().starts_with(b".") {
                continue;
            }
            let mut path = [prefix, name.as_bytes()].concat();
            let file_type = naming(&source, entry.file_type())?;
            if file_type.is_dir() {
                path.push(b'/');
                self.load_below(&source, &path)?;
            } else if file_type.is_file() {
                self.add(path, naming(&source, fs::read(&source))?);
            }
        }
        Ok(())
    }

    /// The file of a path that has been percent-decoded. A directory's is its `index.html`.
    pub(super) fn file(&self, path: &[u8]) -> Option<&File> {
        match path.strip_suffix(b"/") {
            Some(directory) => self.files.get(&[directory, b"/index.html"].concat()),
            None => self.files.get(path),
        }
    }
}

fn naming<T>(path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| {
        let text = format!("cannot read {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}

/// The type of a file, by the ending of its name.
fn content_type(path: &[u8]) -> &'static str {
    let ending = path.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    match ending.to_ascii_lowercase().as_slice() {
        b"html" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"js" => "text/javascript; charset=utf-8",
        b"txt" | b"md" => "text/plain; charset=utf-8",
        b"json" => "application/json",
        b"xml" => "application/xml",
        b"svg" => "image/svg+xml",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"ico" => "image/x-icon",
        b"woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
