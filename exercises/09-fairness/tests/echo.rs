//! Fault S6, with real sockets: an echo beside a task that spins.

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use ch05_executor::spawn;
use ch07_tcp::servers::echo;
use ch07_tcp::{TcpListener, TcpStream};
use ch09_fairness::{Config, Runtime};
use common::{checked, polls_between_visits};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

const ROUND_TRIPS: usize = 50;

/// Echoes beside a spinner. The spinner goes on until all are done, but gives up after `most` polls:
/// with a budget of 61, they take no more than a few thousand. Returns how many echoes there had been by its end.
async fn echoes_beside_a_spinner(most: usize) -> io::Result<usize> {
    let mut listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    spawn(async move {
        let stream = listener.next().await.expect("a listener does not end").expect("accept");
        echo(stream).await.expect("the client reads");
    });
    let mut stream = TcpStream::connect(address).await?;
    let mut byte = [0];
    // Everything is set up, and works.
    stream.write_all(b"x").await?;
    stream.read_exact(&mut byte).await?;

    let echoes = Rc::new(Cell::new(0));
    let at_the_end = Rc::new(Cell::new(0));
    spawn(spin(most, echoes.clone(), at_the_end.clone()));
    while echoes.get() < ROUND_TRIPS {
        stream.write_all(b"x").await?;
        stream.read_exact(&mut byte).await?;
        echoes.set(echoes.get() + 1);
    }
    // The spinner has seen that by its next turn.
    common::wake_itself().await;
    common::wake_itself().await;
    Ok(at_the_end.get())
}

async fn spin(most: usize, echoes: Rc<Cell<usize>>, at_the_end: Rc<Cell<usize>>) {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if echoes.get() == ROUND_TRIPS || polls > most {
            at_the_end.set(echoes.get());
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[test]
fn s6_without_a_budget_no_echo_comes_while_a_task_spins() {
    checked(|| {
        let runtime = ch08_timers::Runtime::new().expect("descriptors are left");
        let echoes = runtime.block_on(echoes_beside_a_spinner(10_000));
        assert_eq!(echoes.expect("loopback connections do not fail"), 0);
        let polls = polls_between_visits();
        assert!(polls.iter().any(|polls| *polls >= 10_000), "{polls:?}");
    });
}

#[test]
fn with_a_budget_all_echoes_come_while_a_task_spins() {
    checked(|| {
        let runtime = Runtime::new(Config::default()).expect("descriptors are left");
        let echoes = runtime.block_on(echoes_beside_a_spinner(200_000));
        assert_eq!(echoes.expect("loopback connections do not fail"), ROUND_TRIPS);
        let polls = polls_between_visits();
        assert!(polls.iter().all(|polls| *polls <= 61), "{polls:?}");
    });
}
