//! No file descriptor left. Alone in its file, because it lowers the limit of the whole process.

mod common;

use std::fs::File;
use std::io::{self, Read};
use std::net;

use common::{on_both_drivers, poll_once, runtime, turns};
use mini_runtime::io::AsyncWriteOwned;
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::time::{Instant, sleep};
use mini_runtime::{Builder, spawn};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes all descriptors that are left.
fn all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn none_left(error: &io::Error) {
    assert_eq!(Errno::from_io_error(error), Some(Errno::MFILE), "{error}");
}

on_both_drivers! {
    /// An error once, no spinning, and when there are descriptors again, the clients that have waited.
    fn without_a_descriptor_there_is_one_error_and_with_one_it_goes_on(driver) {
        let limit = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
        setrlimit(Resource::Nofile, limit).expect("the limit can be lowered");
        let runtime = runtime(driver);
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let mut clients: Vec<net::TcpStream> =
                (0..3).map(|_| net::TcpStream::connect(address).expect("it listens")).collect();
            let taken = all_descriptors();
            none_left(&listener.accept().await.expect_err("none is left"));
            none_left(&TcpStream::connect(address).await.expect_err("none is left"));
            none_left(&TcpListener::bind("127.0.0.1:0").expect_err("none is left"));
            none_left(&Builder::new().driver(driver).build().expect_err("none is left"));

            // Told once: the next one waits.
            let waiting = spawn(async move {
                let mut served = Vec::new();
                for _ in 0..3 {
                    let (stream, _) = listener.accept().await.expect("it was told before");
                    stream.write_all(b"welcome").await.0.expect("it is connected");
                    served.push(stream);
                }
                listener
            });
            let start = Instant::now();
            let mut looks = 0;
            while looks < 5 {
                sleep(std::time::Duration::from_millis(20)).await;
                looks += 1;
            }
            assert!(!waiting.is_finished() && start.elapsed().as_millis() >= 100);
            drop(taken);
            let listener = waiting.await.expect("it does not panic");
            for client in &mut clients {
                let mut text = [0; 7];
                client.read_exact(&mut text).expect("it is served");
                assert_eq!(&text, b"welcome");
            }

            // And the next shortage is told again.
            let _client = net::TcpStream::connect(address).expect("it listens");
            let taken = all_descriptors();
            turns(1).await;
            // On a ring, it may have been accepted ahead.
            match listener.accept().await {
                Ok(_) => {}
                Err(error) => none_left(&error),
            }
            drop(taken);
        });
    }

    /// Who waits for a descriptor is told that there will be none.
    fn a_listener_that_waits_for_a_descriptor_is_told_that_its_runtime_is_gone(driver) {
        let limit = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
        setrlimit(Resource::Nofile, limit).expect("the limit can be lowered");
        let runtime = runtime(driver);
        let listener = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let _client = net::TcpStream::connect(address).expect("it listens");
            let _taken = all_descriptors();
            none_left(&listener.accept().await.expect_err("none is left"));
            let mut accepting = Box::pin(listener.accept());
            assert!(poll_once(&mut accepting).await.is_pending());
            drop(accepting);
            listener
        });
        drop(runtime);
        let error = futures::executor::block_on(listener.accept()).expect_err("nobody accepts");
        assert_eq!(Errno::from_io_error(&error), Some(Errno::CANCELED), "{error}");
    }
}
