//! Files on the ring.

mod common;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::Shutdown;

use ch13_completion::{
    AsyncReadOwned, AsyncReadOwnedExt, AsyncWriteOwnedExt, File, IoBuf, TcpStream,
};
use common::{both_ends, pattern, run};
use futures::future::{join, join_all};
use tempfile::{NamedTempFile, tempfile};

#[test]
fn what_was_written_at_an_offset_is_read_there() {
    run(|_| async {
        let file = File::from_std(tempfile()?);
        let (written, _) = file.write_at(b"hello", 1000).await;
        assert_eq!(written?, 5);
        let (length, bytes) = file.read_at(Vec::with_capacity(16), 998).await;
        assert_eq!((length?, &bytes[..]), (7, &b"\0\0hello"[..]));
        file.write_at(b"J", 1000).await.0?;
        let (length, bytes) = file.read_at(Vec::with_capacity(5), 1000).await;
        assert_eq!((length?, &bytes[..]), (5, &b"Jello"[..]));
        file.close().await
    });
}

#[test]
fn behind_the_end_of_a_file_there_are_no_bytes() {
    run(|_| async {
        let file = File::from_std(tempfile()?);
        file.write_at(pattern(10), 0).await.0?;
        let (length, bytes) = file.read_at(Vec::with_capacity(16), 6).await;
        assert_eq!((length?, &bytes[..]), (4, &pattern(10)[6..]));
        for offset in [10, 11, 1 << 40] {
            let (length, bytes) = file.read_at(vec![7; 16], offset).await;
            assert_eq!((length?, bytes.len()), (0, 0));
        }
        Ok(())
    });
}

#[test]
fn a_file_is_read_in_pieces_to_its_end() {
    run(|_| async {
        let named = NamedTempFile::new()?;
        fs::write(named.path(), pattern(1_000_000))?;
        let file = File::open(named.path())?;
        let mut bytes: Vec<u8> = Vec::with_capacity(1_100_000);
        loop {
            let (begin, room) = (bytes.len(), bytes.capacity().min(bytes.len() + 65_536));
            let (length, slice) = file.read_at(bytes.slice(begin..room), begin as u64).await;
            bytes = slice.into_inner();
            if length? == 0 {
                break;
            }
        }
        assert!(bytes == pattern(1_000_000));
        file.close().await
    });
}

#[test]
fn many_places_of_a_file_are_read_at_once() {
    run(|_| async {
        let named = NamedTempFile::new()?;
        fs::write(named.path(), pattern(100_000))?;
        let file = File::open(named.path())?;
        let read = async |place: usize| {
            let (length, bytes) = file.read_at(Vec::with_capacity(100), place as u64).await;
            assert_eq!((length?, &bytes[..]), (100, &pattern(100_000)[place..place + 100]));
            io::Result::Ok(())
        };
        let results = join_all((0..200).map(|place| read(place * 499))).await;
        results.into_iter().collect()
    });
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    run(|_| async {
        let error = File::open("/no/such/file").expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn a_file_that_was_opened_for_reading_is_not_written_and_the_buffer_comes_back() {
    run(|_| async {
        let named = NamedTempFile::new()?;
        let file = File::open(named.path())?;
        let (error, bytes) = file.write_at(vec![1, 2, 3], 0).await;
        assert_eq!(error.expect_err("it may not").raw_os_error(), Some(nix::libc::EBADF));
        assert_eq!(bytes, [1, 2, 3]);
        Ok(())
    });
}

#[test]
fn a_file_goes_through_a_socket_in_one_block_on() {
    run(|_| async {
        let named = NamedTempFile::new()?;
        fs::write(named.path(), pattern(300_000))?;
        let (one, other) = both_ends().await?;
        let copy = File::from_std(tempfile()?);

        let send = async |stream: TcpStream| {
            let file = File::open(named.path())?;
            let (mut buffer, mut offset) = (Vec::with_capacity(4096), 0);
            loop {
                let (length, read) = file.read_at(buffer, offset).await;
                offset += length? as u64;
                if read.is_empty() {
                    return stream.shutdown(Shutdown::Write);
                }
                let (sent, back) = stream.write_all(read).await;
                sent?;
                buffer = back;
            }
        };
        let receive = async {
            let (mut buffer, mut offset) = (Vec::with_capacity(5000), 0);
            loop {
                let (length, received) = other.read(buffer).await;
                let length = length?;
                if length == 0 {
                    return io::Result::Ok(offset);
                }
                let (written, back) = copy.write_at(received, offset).await;
                assert_eq!(written?, length);
                offset += length as u64;
                buffer = back;
            }
        };
        let (sent, received) = join(send(one), receive).await;
        sent?;
        assert_eq!(received?, 300_000);
        let (length, bytes) = copy.read_at(Vec::with_capacity(300_000), 0).await;
        assert_eq!(length?, 300_000);
        assert!(bytes == pattern(300_000));
        Ok(())
    });
}

#[test]
fn a_file_may_also_be_a_pipe() {
    run(|_| async {
        let (reader, writer) = nix::unistd::pipe()?;
        let (reader, writer) = (File::from_std(reader.into()), File::from_std(writer.into()));
        let (read, written) =
            join(reader.read_at(Vec::with_capacity(16), 0), writer.write_at(b"hello", 0)).await;
        assert_eq!((read.0?, &read.1[..], written.0?), (5, &b"hello"[..], 5));
        writer.close().await?;
        let (length, _) = reader.read_at(Vec::with_capacity(16), 0).await;
        assert_eq!(length?, 0);
        Ok(())
    });
}

#[test]
fn a_read_at_a_part_of_a_buffer_leaves_what_is_before_it() {
    run(|_| async {
        let file = File::from_std(tempfile()?);
        file.write_at(b"world", 0).await.0?;
        let mut buffer = Vec::with_capacity(32);
        buffer.extend_from_slice(b"hello ");
        let (length, slice) = file.read_at(buffer.slice(6..32), 0).await;
        assert_eq!((length?, &slice.into_inner()[..]), (5, &b"hello world"[..]));
        let (one, other) = both_ends().await?;
        one.write_all(b"x").await.0?;
        other.read_exact(Vec::with_capacity(1)).await.0
    });
}
