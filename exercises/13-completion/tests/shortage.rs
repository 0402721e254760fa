//! No file descriptor left. Alone in its file, because it lowers the limit of the whole process.

mod common;

use std::fs::File;
use std::io;
use std::net;

use ch13_completion::{
    AsyncReadOwnedExt, AsyncWriteOwnedExt, Driver, TcpListener, TcpStream, block_on, by_hand,
};
use common::{all_came_home, driver};
use conformance::watch;
use nix::libc::EMFILE;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes all descriptors that are left.
fn all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn without_a_descriptor_there_is_an_error_and_with_one_it_goes_on() {
    watch(|| {
        let Some(driver) = driver(8) else { return };
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("the limit can be lowered");
        block_on(&driver, async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let client = net::TcpStream::connect(address)?;

            let taken = all_descriptors();
            let none_left = |error: io::Error| assert_eq!(error.raw_os_error(), Some(EMFILE));
            none_left(listener.accept().await.expect_err("no descriptor is left"));
            none_left(TcpStream::connect(address).await.expect_err("no descriptor is left"));
            none_left(TcpListener::bind("127.0.0.1:0").expect_err("no descriptor is left"));
            none_left(ch13_completion::File::open("/dev/null").expect_err("none is left"));
            none_left(Driver::new(8).expect_err("no descriptor is left"));
            drop(taken);

            // The client waits in the queue of the listener still.
            let (accepted, peer) = listener.accept().await?;
            assert_eq!(peer, client.local_addr()?);
            accepted.write_all(b"welcome").await.0?;
            drop(accepted);
            let client = TcpStream::from_fd(client.into(), &driver);
            let (read, bytes) = client.read_exact(Vec::with_capacity(7)).await;
            read?;
            assert_eq!(bytes, b"welcome");
            io::Result::Ok(())
        })
        .expect("loopback connections do not fail");

        // The server by hand ends with the error when it accepts no more, and those whom it has
        // accepted have gone.
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let _client = net::TcpStream::connect(listener.local_addr().expect("it is bound"));
        let mut taken = all_descriptors();
        taken.pop();
        let error = by_hand::echo(&listener, 1).expect_err("the ring takes the last descriptor");
        assert_eq!(error.raw_os_error(), Some(EMFILE));
        drop((taken, driver));
        all_came_home();
    });
}
