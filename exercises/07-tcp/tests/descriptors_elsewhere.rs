//! Descriptors that run out, and come back, without any socket being closed. Alone in its file, because
//! it lowers the limit of the whole process.

use std::fs::File;
use std::io;
use std::net;

use ch07_tcp::{Runtime, TcpListener};
use conformance::{check_trace, watch};
use futures::StreamExt;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn a_listener_finds_descriptors_that_something_else_has_given_back() {
    watch(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("the limit can be lowered");
        let runtime = Runtime::new().expect("descriptors are left");
        runtime
            .block_on(async {
                let mut listener = TcpListener::bind("127.0.0.1:0")?;
                let client = net::TcpStream::connect(listener.local_addr()?)?;
                let files: Vec<File> =
                    std::iter::from_fn(|| File::open("/dev/null").ok()).collect();

                let error = listener.next().await.expect("it does not end").expect_err("no room");
                assert!(error.to_string().contains("Too many open files"), "{error}");
                drop(files);
                let accepted = listener.next().await.expect("it does not end")?;
                assert_eq!(accepted.peer_addr()?, client.local_addr()?);
                drop(client);

                // The next shortage is told again.
                let _client = net::TcpStream::connect(listener.local_addr()?)?;
                let files: Vec<File> =
                    std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
                assert!(listener.next().await.expect("it does not end").is_err());
                drop(files);
                listener.next().await.expect("it does not end").map(drop)
            })
            .expect("loopback connections do not fail");
        drop(runtime);
        check_trace();
        io::Result::Ok(())
    })
    .expect("all went well");
}
