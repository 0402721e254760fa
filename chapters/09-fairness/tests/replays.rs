//! The runs that this chapter's pages replay, recorded anew and compared.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write;
use std::net;
use std::rc::Rc;
use std::task::Poll;

use ch05_executor::spawn;
use ch07_tcp::TcpStream;
use ch09_fairness::Config;
use conformance::replay::{Scenario, WAKERS_COME_AND_GO, say};
use futures::AsyncReadExt;
use trace::Cast;

/// What the example `starving_spinner` does, with one byte for ten echoes, and less patience.
async fn a_reader_beside_a_spinner() {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let mut peer = net::TcpStream::connect(address).expect("it listens");
    let (stream, _) = listener.accept().expect("somebody has connected");

    let (tell, told) = futures::channel::oneshot::channel();
    let has_read = Rc::new(Cell::new(false));
    let seen = has_read.clone();
    spawn(async move {
        let mut stream = TcpStream::from_std(stream).expect("it can be registered");
        stream.read_exact(&mut [0]).await.expect("the peer is there");
        say("reader: I have my byte.");
        has_read.set(true);
        // The main future waits for it.
        let _ = tell.send(());
    });
    spawn(async move {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                peer.write_all(b"x").expect("the reader is there");
                say("spinner: I have sent a byte to the reader, and go round until it is read.");
            }
            if seen.get() || polls == 6 {
                say(format!("spinner: I end. Has it been read? {}.", seen.get()));
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    });
    told.await.expect("the reader reads");
}

#[test]
fn a_spinner_and_a_reader() {
    let failing = Scenario {
        name: "starving_spinner-failing",
        title: "Chapter 5's executor",
        cast: Cast {
            tasks: &[(1, "the reader"), (2, "the spinner")],
            fds: &[(1, "the reader's socket")],
            ..Cast::NAMELESS
        },
        skip: WAKERS_COME_AND_GO,
    };
    failing.ends(|_| {
        let runtime = ch08_timers::Runtime::new().expect("descriptors are left");
        runtime.block_on(a_reader_beside_a_spinner());
    });
    let mended =
        Scenario { name: "starving_spinner-mended", title: "With a run budget of 3", ..failing };
    mended.ends(|_| {
        let config = Config { run_budget: 3, ..Config::default() };
        let runtime = ch09_fairness::Runtime::new(config).expect("descriptors are left");
        runtime.block_on(a_reader_beside_a_spinner());
    });
}
