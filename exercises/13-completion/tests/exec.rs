//! What a program inherits that is started by ours: none of these descriptors. Alone in its file, because
//! the descriptors are the process's.

mod common;

use std::fs;
use std::io;

use ch13_completion::{File, TcpListener, TcpStream};
use common::run;
use futures::future::join;
use nix::fcntl::OFlag;

/// The descriptors that are not closed when the process becomes another program.
fn handed_down() -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo").expect("there is a /proc") {
        let path = entry.expect("there is a /proc").path();
        // The one of this folder is closed by the time.
        let Ok(info) = fs::read_to_string(&path) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
        if flags.expect("it has flags") & OFlag::O_CLOEXEC.bits() == 0 {
            names.push(path.display().to_string());
        }
    }
    names.sort();
    names
}

#[test]
fn no_descriptor_is_handed_down_to_another_program() {
    let before = handed_down();
    run(move |_| async move {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let connect = TcpStream::connect(listener.local_addr()?);
        let (accepted, connected) = join(listener.accept(), connect).await;
        let (server, client, file) = (accepted?, connected?, File::open("/dev/null")?);
        assert_eq!(handed_down(), before);
        drop((server, client, file));
        io::Result::Ok(())
    });
}
