use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::Result;

/// What a server does to a file before it sends it: gets its path and what is in it.
type Edit = dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync;

/// Serves a folder on a free port of the loopback interface, until the process ends.
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// Serves the files as they are.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, |_, bytes| bytes)
    }

    /// Serves what `edit` makes of the files.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub fn start_with(
        folder: &Path,
        edit: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let folder: Arc<Path> = folder.into();
        let edit: Arc<Edit> = Arc::new(edit);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, edit) = (folder.clone(), edit.clone());
                // A browser that hangs up early is no fault of ours: what it misses, it says itself.
                thread::spawn(move || answer(&stream, &folder, &*edit).ok());
            }
        });
        Ok(Self { address })
    }

    /// The address of the folder, with a slash at its end.
    pub fn base(&self) -> String {
        format!("http://{}/", self.address)
    }
}

fn answer(mut stream: &TcpStream, folder: &Path, edit: &Edit) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let target = request.split(' ').nth(1).unwrap_or_default();
    let path = target.trim_start_matches('/').split(['?', '#']).next().unwrap_or_default();
    let (status, kind, body) = match read(folder, path) {
        Some(bytes) => ("200 OK", kind_of(path), edit(path, bytes)),
        None => ("404 Not Found", "text/plain", b"There is no such file.\n".to_vec()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    Ok(())
}

fn read(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(path);
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside { fs::read(folder.join(path)).ok() } else { None }
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
