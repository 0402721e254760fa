//! Sockets on the ring.

mod common;

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::rc::Rc;

use ch13_completion::{
    AsyncReadOwned, AsyncReadOwnedExt, AsyncWriteOwned, AsyncWriteOwnedExt, IoBuf, IoBufMut,
    TcpListener, TcpStream,
};
use common::{Arena, Random, both_ends, driven, finish, pair, pattern, poll, reset, run};
use conformance::skip;
use futures::future::{FutureExt, join, join_all};

/// More than the socket buffers of both sides hold by default.
const LARGE: usize = 4 * 1024 * 1024;

/// Sends back what comes, until the end, and ends this side then.
async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let (length, back) = stream.read(buffer).await;
        if length? == 0 {
            return stream.shutdown(Shutdown::Write);
        }
        let (written, back) = stream.write_all(back).await;
        written?;
        buffer = back;
    }
}

/// Reads to the end.
async fn read_all(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(16 * 1024);
        let begin = bytes.len();
        let room = bytes.capacity();
        let (length, slice) = stream.read(bytes.slice(begin..room)).await;
        bytes = slice.into_inner();
        if length? == 0 {
            return Ok(bytes);
        }
    }
}

#[test]
fn what_is_said_comes_back() {
    run(|_| async {
        let (client, server) = both_ends().await?;
        let talk = async {
            for round in 0..100_u8 {
                let (sent, _) = client.write_all(vec![round; 1000]).await;
                sent?;
                let (received, answer) = client.read_exact(Vec::with_capacity(1000)).await;
                received?;
                assert_eq!(answer, [round; 1000]);
            }
            client.shutdown(Shutdown::Write)?;
            let (length, _) = client.read(vec![0; 8]).await;
            assert_eq!(length?, 0);
            io::Result::Ok(())
        };
        let (echoed, talked) = join(echo(server), talk).await;
        echoed.and(talked)
    });
}

#[test]
fn closing_the_writing_side_leaves_the_reading_side_open() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.write_all(b"question").await.0?;
        one.shutdown(Shutdown::Write)?;
        assert_eq!(read_all(&other).await?, b"question");
        other.write_all(b"answer").await.0?;
        other.shutdown(Shutdown::Write)?;
        assert_eq!(read_all(&one).await?, b"answer");
        let (sent, _) = one.write(b"more").await;
        assert_eq!(sent.expect_err("this side was closed").kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_reader_that_waits_is_woken_when_its_side_is_shut_down() {
    run(|_| async {
        let (one, _other) = both_ends().await?;
        let recv = one.start_recv(vec![0; 8]);
        let (length, ()) = join(recv, async { one.shutdown(Shutdown::Read) }.map(drop)).await;
        assert_eq!(length.0?, 0);
        Ok(())
    });
}

#[test]
fn a_dropped_stream_ends_the_reads_of_its_peer() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        let (length, ()) = join(other.read(vec![0; 8]), async { drop(one) }).await;
        assert_eq!(length.0?, 0);
        Ok(())
    });
}

#[test]
fn four_mebibytes_go_both_ways_at_once() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        let send = async |stream: &TcpStream| {
            let (sent, _) = stream.write_all(pattern(LARGE)).await;
            sent?;
            stream.shutdown(Shutdown::Write)
        };
        let (sent, received) =
            join(join(send(&one), send(&other)), join(read_all(&one), read_all(&other))).await;
        sent.0.and(sent.1)?;
        assert!(received.0? == pattern(LARGE) && received.1? == pattern(LARGE));
        Ok(())
    });
}

#[test]
fn many_clients_are_served_at_once() {
    run(|_| async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let client = async |number: u8| {
            let stream = TcpStream::connect(address).await?;
            for round in 0..20 {
                let (sent, message) = stream.write_all(vec![number ^ round; 1024]).await;
                sent?;
                let (received, answer) = stream.read_exact(Vec::with_capacity(1024)).await;
                received?;
                assert_eq!(answer, message);
            }
            stream.shutdown(Shutdown::Write)
        };
        let serve = async || {
            let (stream, _) = listener.accept().await?;
            echo(stream).await
        };
        let servers = join_all((0..64).map(|_| serve()));
        let clients = join_all((0..64).map(client));
        let (served, talked) = join(servers, clients).await;
        served.into_iter().chain(talked).collect()
    });
}

#[test]
fn connecting_to_nobody_is_an_error() {
    run(|_| async {
        let address = net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let refused = TcpStream::connect(address).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let nowhere: &[SocketAddr] = &[];
        let error = TcpStream::connect(nowhere).await.expect_err("there is no address");
        assert_eq!(error.to_string(), "no address to connect to");
        Ok(())
    });
}

#[test]
fn the_first_address_that_accepts_is_connected_to() {
    run(|_| async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let nobody = net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let addresses = [nobody, listener.local_addr()?, nobody];
        let stream = TcpStream::connect(&addresses[..]).await?;
        assert_eq!(stream.peer_addr()?, addresses[1]);
        Ok(())
    });
}

#[test]
fn both_sides_know_each_others_addresses_in_both_versions_of_ip() {
    run(|_| async {
        for address in
            [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))]
        {
            let listener = match TcpListener::bind(address) {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                    skip(format_args!("no {address} on this machine"));
                    continue;
                }
                listener => listener?,
            };
            let connect = TcpStream::connect(listener.local_addr()?);
            let (accepted, connected) = join(listener.accept(), connect).await;
            let ((server, peer), client) = (accepted?, connected?);
            assert_eq!(peer, client.local_addr()?);
            assert_eq!(server.peer_addr()?, peer);
            assert_eq!(client.peer_addr()?, listener.local_addr()?);
            assert_eq!(peer.ip(), address.ip());
        }
        Ok(())
    });
}

#[test]
fn an_address_in_use_is_an_error_of_bind() {
    run(|_| async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let error = TcpListener::bind(listener.local_addr()?).expect_err("it is in use");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        Ok(())
    });
}

#[test]
fn a_peer_that_resets_the_connection_is_an_error_and_the_buffer_comes_back() {
    driven(8, |driver| {
        let arena = Arena::default();
        let (near, far) = pair(driver);
        reset(far);
        let (error, buffer) = finish(driver, near.start_recv(arena.room(8)));
        assert_eq!(error.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
        assert_eq!((buffer.bytes_init(), arena.live()), (0, 1));
        // No signal ends the process.
        let (error, buffer) = finish(driver, near.start_send(arena.bytes(b"hello")));
        assert_eq!(error.expect_err("it was reset").kind(), ErrorKind::BrokenPipe);
        assert_eq!(buffer.to_vec(), b"hello");
    });
}

#[test]
fn close_closes_and_says_so() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.close().await?;
        assert_eq!(read_all(&other).await?, b"");
        other.close().await
    });
}

#[test]
fn no_delay_can_be_set() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.set_nodelay(true)?;
        one.write_all(b"x").await.0?;
        other.read_exact(Vec::with_capacity(1)).await.0
    });
}

#[test]
fn an_empty_buffer_is_written_at_once_and_read_exactly_without_the_kernel() {
    run(|driver| async move {
        let (one, other) = both_ends().await?;
        let (sent, _) = one.write(Vec::new()).await;
        assert_eq!(sent?, 0);
        let before = driver.counts().submissions;
        one.write_all(Vec::new()).await.0?;
        one.read_exact(Vec::new()).await.0?;
        assert_eq!(driver.counts().submissions, before);
        drop(other);
        Ok(())
    });
}

#[test]
fn a_receive_without_room_waits_for_bytes_and_takes_none() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let recv = near.start_recv(Vec::new());
        io::Write::write_all(&mut far, b"x").expect("the connection is up");
        let (length, _) = finish(driver, recv);
        assert_eq!(length.expect("nothing breaks"), 0);
        let (length, bytes) = finish(driver, near.start_recv(Vec::with_capacity(8)));
        assert_eq!((length.expect("nothing breaks"), &bytes[..]), (1, &b"x"[..]));
    });
}

#[test]
fn a_read_begins_at_the_beginning_of_the_buffer_and_what_was_there_is_gone() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.write_all(b"new").await.0?;
        let (length, bytes) = other.read(b"something old".to_vec()).await;
        assert_eq!((length?, &bytes[..]), (3, &b"new"[..]));
        // To append, lend what is behind.
        one.write_all(b" and more").await.0?;
        let (length, slice) = other.read(with_room(bytes, 100).slice(3..100)).await;
        assert_eq!((length?, &slice[..]), (9, &b" and more"[..]));
        assert_eq!(slice.into_inner(), b"new and more");
        Ok(())
    });
}

fn with_room(mut bytes: Vec<u8>, room: usize) -> Vec<u8> {
    bytes.reserve(room);
    bytes
}

#[test]
fn a_buffer_without_room_for_all_takes_what_fits_and_leaves_the_rest() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.write_all(b"abcdef").await.0?;
        let (length, slice) = other.read(Vec::with_capacity(100).slice(0..4)).await;
        assert_eq!((length?, &slice[..]), (4, &b"abcd"[..]));
        let (length, bytes) = other.read(Vec::with_capacity(100)).await;
        assert_eq!((length?, &bytes[..]), (2, &b"ef"[..]));
        Ok(())
    });
}

#[test]
fn reading_exactly_takes_as_many_reads_as_it_needs() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let mut read = async move { near.read_exact(Vec::with_capacity(10)).await }.boxed_local();
        assert!(poll(&mut read).is_pending());
        for piece in ["a", "bc", "def"] {
            let reads = driver.counts().completions;
            io::Write::write_all(&mut far, piece.as_bytes()).expect("the connection is up");
            while driver.counts().completions == reads {
                driver.wait(None).expect("the kernel waits");
            }
            assert!(poll(&mut read).is_pending());
        }
        io::Write::write_all(&mut far, b"ghij").expect("the connection is up");
        let (result, bytes) = finish(driver, read);
        result.expect("there are enough");
        assert_eq!(bytes, b"abcdefghij");
        assert_eq!(driver.counts().submissions, 4);
    });
}

#[test]
fn an_end_that_comes_too_early_is_an_error_and_what_was_read_is_in_the_buffer() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.write_all(b"half").await.0?;
        drop(one);
        let (error, bytes) = other.read_exact(Vec::with_capacity(8)).await;
        assert_eq!(error.expect_err("it is too short").kind(), ErrorKind::UnexpectedEof);
        assert_eq!(bytes, b"half");
        Ok(())
    });
}

#[test]
fn a_slice_can_be_filled_exactly_and_the_rest_is_left_alone() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.write_all(b"23").await.0?;
        one.write_all(b"45").await.0?;
        let buffer = with_room(b"01".to_vec(), 8).slice(2..5);
        let (received, slice) = other.read_exact(buffer).await;
        received?;
        assert_eq!(slice.into_inner(), b"01234");
        Ok(())
    });
}

/// A stream that takes little at a time, and gives it.
struct Stingy {
    bytes: Cell<u8>,
    written: Cell<usize>,
}

impl AsyncReadOwned for Stingy {
    async fn read<B: IoBufMut>(&self, mut buf: B) -> (io::Result<usize>, B) {
        if buf.bytes_total() == 0 {
            return (Ok(0), buf);
        }
        // SAFETY: there is room for a byte.
        unsafe { buf.as_mut_ptr().write(self.bytes.get()) };
        // SAFETY: it has just been written.
        unsafe { buf.set_init(1) };
        self.bytes.set(self.bytes.get() + 1);
        (Ok(1), buf)
    }

    async fn read_vectored<B: IoBufMut>(&self, bufs: Vec<B>) -> (io::Result<usize>, Vec<B>) {
        (Ok(0), bufs)
    }
}

impl AsyncWriteOwned for Stingy {
    async fn write<B: IoBuf>(&self, buf: B) -> (io::Result<usize>, B) {
        let length = buf.bytes_init().min(3);
        self.written.set(self.written.get() + length);
        let full = self.written.get() > 10;
        (if full { Ok(0) } else { Ok(length) }, buf)
    }

    async fn write_vectored<B: IoBuf>(&self, bufs: Vec<B>) -> (io::Result<usize>, Vec<B>) {
        (Ok(0), bufs)
    }
}

#[test]
fn what_is_built_on_reads_and_writes_works_with_any_stream() {
    let stingy = Stingy { bytes: Cell::new(b'a'), written: Cell::new(0) };
    let mut read = stingy.read_exact(Vec::with_capacity(5)).boxed_local();
    let std::task::Poll::Ready((result, bytes)) = poll(&mut read) else { panic!("it is ready") };
    result.expect("there are enough");
    assert_eq!(bytes, b"abcde");
    drop(read);

    let mut write = stingy.write_all(b"0123456789").boxed_local();
    assert!(matches!(poll(&mut write), std::task::Poll::Ready((Ok(()), b"0123456789"))));
    drop(write);
    assert_eq!(stingy.written.get(), 10);
    let mut write = stingy.write_all(b"more").boxed_local();
    let std::task::Poll::Ready((result, _)) = poll(&mut write) else { panic!("it is ready") };
    assert_eq!(result.expect_err("it is full").kind(), ErrorKind::WriteZero);
}

#[test]
fn several_buffers_are_filled_in_their_order_and_the_last_ones_may_get_nothing() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        one.write_all(b"abcdefg").await.0?;
        let bufs = [3, 0, 2, 8, 4].into_iter().map(Vec::with_capacity).collect();
        let (length, bufs) = other.read_vectored(bufs).await;
        assert_eq!(length?, 7);
        assert_eq!(bufs, [&b"abc"[..], b"", b"de", b"fg", b""]);
        Ok(())
    });
}

#[test]
fn several_buffers_are_written_one_behind_the_other() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        let bufs = ["ab", "", "cde", "f"].map(String::from).to_vec();
        let (length, bufs) = one.write_vectored(bufs).await;
        assert_eq!((length?, bufs.concat()), (6, "abcdef".into()));
        let (received, bytes) = other.read_exact(Vec::with_capacity(6)).await;
        received?;
        assert_eq!(bytes, b"abcdef");
        Ok(())
    });
}

#[test]
fn of_very_many_buffers_those_are_used_that_the_kernel_takes_at_once() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        let bufs: Vec<Vec<u8>> = (0..3000).map(|place| vec![(place % 251) as u8]).collect();
        let (length, bufs) = one.write_vectored(bufs).await;
        assert_eq!((length?, bufs.len()), (1024, 3000));
        one.write_all(pattern(3000).slice(1024..3000)).await.0?;
        let rooms: Vec<Vec<u8>> = (0..3000).map(|_| Vec::with_capacity(1)).collect();
        let (length, rooms) = other.read_vectored(rooms).await;
        assert_eq!((length?, rooms.len()), (1024, 3000));
        assert_eq!(rooms.concat(), &pattern(3000)[..1024]);
        Ok(())
    });
}

#[test]
fn no_buffers_at_all_are_read_and_written_at_once() {
    run(|_| async {
        let (one, _other) = both_ends().await?;
        assert_eq!(one.write_vectored(Vec::<Vec<u8>>::new()).await.0?, 0);
        assert_eq!(one.read_vectored(Vec::<Vec<u8>>::new()).await.0?, 0);
        Ok(())
    });
}

#[test]
fn an_error_of_a_vectored_call_leaves_the_buffers_as_they_are() {
    driven(8, |driver| {
        let (near, far) = pair(driver);
        reset(far);
        let near = Rc::new(near);
        let own = near.clone();
        let read = async move { own.read_vectored(vec![b"one".to_vec(), b"two".to_vec()]).await };
        let (error, bufs) = finish(driver, read.boxed_local());
        assert_eq!(error.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
        assert_eq!(bufs, [b"one", b"two"]);
    });
}

#[test]
fn one_stream_may_be_read_and_written_at_once_in_any_number_of_operations() {
    run(|_| async {
        let (one, other) = both_ends().await?;
        let mut random = Random(11);
        let rooms: Vec<usize> = (0..50).map(|_| 1 + random.below(20) as usize).collect();
        let total: usize = rooms.iter().sum();
        let reads = join_all(rooms.iter().map(|room| other.read_exact(Vec::with_capacity(*room))));
        let writes = join_all((0..total).map(|_| one.write_all(b"x")));
        let (reads, writes) = join(reads, writes).await;
        assert!(writes.into_iter().all(|(written, _)| written.is_ok()));
        for (room, (read, bytes)) in rooms.into_iter().zip(reads) {
            read?;
            assert_eq!(bytes, vec![b'x'; room]);
        }
        Ok(())
    });
}
