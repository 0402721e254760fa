//! What a buffer promises, without a ring: where its bytes are, and that they stay there. Miri can run
//! this file.

mod common;

use ch13_completion::{IoBuf, IoBufMut, Slice};
use common::Arena;
use conformance::{panic_text, watch};

/// What the kernel does with a buffer that is to be sent: it gets the address, the buffer is moved away,
/// and then it reads.
fn sent<B: IoBuf>(buf: B) -> (Vec<u8>, B) {
    let (start, length) = (buf.as_ptr(), buf.bytes_init());
    let moved = Box::new((0_u64, buf));
    // SAFETY: that many bytes are there until the buffer is dropped, as its type promises.
    let bytes = (0..length).map(|place| unsafe { start.add(place).read() }).collect();
    (bytes, moved.1)
}

/// What the kernel does with room that is lent to it: the same, and it writes.
fn received<B: IoBufMut>(mut buf: B, bytes: &[u8]) -> B {
    let (start, room) = (buf.as_mut_ptr(), buf.bytes_total());
    let mut moved = Box::new((0_u64, buf));
    let length = bytes.len().min(room);
    // SAFETY: there is room for that many bytes until the buffer is dropped, as its type promises.
    unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), length) };
    // SAFETY: they have just been written.
    unsafe { moved.1.set_init(length) };
    moved.1
}

/// Room for so many bytes, of which the first ones are there.
fn vector(room: usize, bytes: &[u8]) -> Vec<u8> {
    let mut vector = Vec::with_capacity(room);
    vector.extend_from_slice(bytes);
    assert_eq!(vector.capacity(), room);
    vector
}

#[test]
fn the_bytes_of_every_kind_of_buffer_are_where_it_says_also_after_a_move() {
    watch(|| {
        assert_eq!(sent(vec![1, 2, 3]).0, [1, 2, 3]);
        assert_eq!(sent(String::from("hello")).0, b"hello");
        let bytes: &'static [u8] = b"static";
        assert_eq!(sent(bytes).0, b"static");
        assert_eq!(sent(b"array").0, b"array");
        assert_eq!(sent(vec![1, 2, 3, 4].slice(1..3)).0, [2, 3]);
        assert_eq!(sent(String::from("hello").slice(1..4).slice(1..3)).0, b"ll");
        let arena = Arena::default();
        assert_eq!(sent(arena.bytes(b"mine")).0, b"mine");
    });
}

#[test]
fn a_buffer_comes_back_as_it_was_given() {
    watch(|| {
        assert_eq!(sent(vector(10, &[1, 2])).1, [1, 2]);
        assert_eq!(sent(String::from("hello")).1, "hello");
        assert_eq!(sent(vec![1, 2, 3].slice(1..2)).1.into_inner(), [1, 2, 3]);
    });
}

#[test]
fn what_is_received_is_there_also_after_a_move() {
    watch(|| {
        assert_eq!(received(vector(8, &[]), b"hello"), b"hello");
        assert_eq!(&received(vector(8, &[]).slice(0..3), b"hello")[..], b"hel");
        let arena = Arena::default();
        assert_eq!(received(arena.room(4), b"hello").to_vec(), b"hell");
    });
}

#[test]
fn the_room_of_a_vector_is_its_capacity_and_what_it_has_is_written_over() {
    watch(|| {
        let vector = vector(8, &[9; 5]);
        assert_eq!((vector.bytes_init(), vector.bytes_total()), (5, 8));
        let vector = received(vector, &[1, 2]);
        assert_eq!(vector, [1, 2]);
        assert_eq!(vector.capacity(), 8);
    });
}

#[test]
fn a_slice_is_clipped_to_what_there_is() {
    watch(|| {
        let slice = vector(8, &[1, 2, 3]).slice(1..100);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (2, 7));
        assert_eq!(&slice[..], [2, 3]);
        let slice = vector(8, &[1, 2, 3]).slice(1..2);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (1, 1));
        let bytes: &'static [u8] = b"abc";
        assert_eq!(bytes.slice(2..9).bytes_init(), 1);
    });
}

#[test]
fn a_slice_may_begin_where_the_bytes_end() {
    watch(|| {
        let slice = vector(8, &[1, 2, 3]).slice(3..8);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (0, 5));
        assert!(slice.is_empty());
        assert_eq!(received(slice, &[4, 5]).into_inner(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn an_empty_slice_has_neither_bytes_nor_room() {
    watch(|| {
        for place in 0..=3 {
            let mut slice = vector(8, &[1, 2, 3]).slice(place..place);
            assert_eq!((slice.bytes_init(), slice.bytes_total()), (0, 0));
            // SAFETY: no bytes have been written, and there is room for that.
            unsafe { slice.set_init(0) };
            assert_eq!(slice.into_inner(), &[1, 2, 3][..place]);
        }
        let nothing = Vec::new().slice(0..5);
        assert_eq!((nothing.bytes_init(), nothing.bytes_total()), (0, 0));
    });
}

#[test]
fn what_is_received_into_a_slice_leaves_what_is_before_it_and_ends_the_buffer() {
    watch(|| {
        let slice = received(vector(8, &[1, 2, 3, 4, 5, 6]).slice(2..5), &[7, 8]);
        assert_eq!(&slice[..], [7, 8]);
        assert_eq!(slice.into_inner(), [1, 2, 7, 8]);
    });
}

#[test]
fn a_slice_of_a_slice_counts_from_the_beginning_of_that_one() {
    watch(|| {
        let slice = vector(10, b"abcdef").slice(1..9).slice(2..7);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (3, 5));
        assert_eq!(&slice[..], b"def");
        let slice = received(slice, b"12345678");
        assert_eq!(&slice[..], b"12345");
        assert_eq!(slice.into_inner().into_inner(), b"abc12345");
    });
}

#[test]
fn a_slice_of_a_slice_does_not_reach_beyond_that_one() {
    watch(|| {
        let slice = vec![1, 2, 3, 4, 5].slice(1..3).slice(1..100);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (1, 1));
        assert_eq!(&slice[..], [3]);
    });
}

#[test]
fn a_slice_that_would_leave_a_gap_panics() {
    watch(|| {
        let text = panic_text(|| drop(vector(8, &[1, 2, 3]).slice(4..6)));
        assert_eq!(text, "the range 4..6 would leave a gap");
        let text = panic_text(|| drop(vec![1, 2, 3].slice(1..2).slice(2..2)));
        assert_eq!(text, "the range 2..2 would leave a gap");
    });
}

#[test]
fn a_slice_that_ends_before_it_begins_panics() {
    watch(|| {
        // Not written as a range, which clippy would complain of.
        let (start, end) = (2, 1);
        let text = panic_text(|| drop(vec![1, 2, 3].slice(start..end)));
        assert_eq!(text, "the range 2..1 ends before it begins");
    });
}

#[test]
fn a_slice_owns_its_buffer() {
    watch(|| {
        let arena = Arena::default();
        let slice: Slice<_> = arena.bytes(b"hello").slice(1..3);
        assert_eq!((arena.live(), arena.dropped()), (1, 0));
        let buffer = slice.into_inner();
        assert_eq!((arena.live(), arena.dropped()), (1, 0));
        drop(buffer.slice(0..2));
        assert_eq!((arena.live(), arena.dropped()), (0, 1));
    });
}
