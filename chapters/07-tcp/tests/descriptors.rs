//! The echo server with no file descriptor left: it neither spins nor ends, and serves those who
//! wait as soon as a descriptor is free again.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::RawFd;
use std::process::Command;

use conformance::{Server, demo, watch};
use nix::sys::signal::Signal;

const LIMIT: RawFd = 20;
const MESSAGE: [u8; 5] = *b"hello";

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(&server.address).expect("the kernel accepts into the backlog")
}

fn echoes(client: &mut TcpStream) {
    client.write_all(&MESSAGE).expect("the connection is up");
    hears(client);
}

fn hears(client: &mut TcpStream) {
    let mut answer = [0; MESSAGE.len()];
    client.read_exact(&mut answer).expect("the server answers");
    assert_eq!(answer, MESSAGE);
}

#[test]
fn clients_wait_until_a_descriptor_is_free() {
    watch(|| {
        // The limit is the shell's, which then becomes the server.
        let server = Server::run(
            Command::new("sh")
                .args(["-c", "ulimit -n $0 && exec \"$@\"", &LIMIT.to_string()])
                .arg(demo::example("echo").get_program())
                .arg("127.0.0.1:0"),
        );
        // Descriptors that were handed down to the shell may have higher numbers.
        let below_limit = || server.descriptors().iter().filter(|fd| **fd < LIMIT).count();
        let free = LIMIT as usize - below_limit();
        let mut served: Vec<TcpStream> = (0..free).map(|_| connect(&server)).collect();
        served.iter_mut().for_each(echoes);
        assert_eq!(below_limit(), LIMIT as usize);

        let mut waiting: Vec<TcpStream> = (0..3).map(|_| connect(&server)).collect();
        for client in &mut waiting {
            client.write_all(&MESSAGE).expect("the kernel takes the bytes");
        }
        for _ in 0..100 {
            echoes(&mut served[0]);
        }
        for client in &mut waiting {
            client.set_nonblocking(true).expect("a socket can be non-blocking");
            let nothing = client.read(&mut [0]).expect_err("the server cannot have accepted");
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
            client.set_nonblocking(false).expect("a socket can be blocking");
        }

        served.pop();
        hears(&mut waiting[0]);
        served.clear();
        waiting.iter_mut().skip(1).for_each(hears);

        let outcome = server.stop(Signal::SIGINT);
        assert_eq!(outcome.status, Some(0));
        // One line each time that the descriptors ran out: a server that spun would have said so
        // thousands of times.
        let lines = outcome.stderr.lines().count();
        assert!((1..=3).contains(&lines), "{lines} lines of errors");
        assert!(outcome.stderr.contains("Too many open files"));
    });
}
