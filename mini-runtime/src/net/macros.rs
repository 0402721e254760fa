//! What several types have in the same words.

/// Reading: for what has a `fn stream(&self) -> &Stream`.
macro_rules! reads {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// Waits until there is something to be read, or the end, as far as is known. Whoever finds nothing
            /// all the same waits again.
            ///
            /// # Errors
            /// If the kernel refuses.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn readable(&self) -> io::Result<()> {
                self.stream().readable().await
            }

            /// Reads what is there, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if there is nothing, and those of the system call.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.stream().try_read(buffer)
            }

            /// Waits until there is something to be read, and copies as much of it as there is room for.
            /// It stays there for whoever reads next. No bytes are the end.
            ///
            /// # Errors
            /// As the system call.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.stream().peek(buffer).await
            }
        }

        impl<$($generics)*> AsyncReadOwned for $type {
            fn read<B: IoBufMut>(
                &self,
                buf: B,
            ) -> impl Future<Output = BufResult<usize, B>> {
                self.stream().read(buf)
            }

            fn read_exact<B: IoBufMut>(
                &self,
                buf: B,
            ) -> impl Future<Output = BufResult<(), B>> {
                self.stream().read_exact(buf)
            }

            fn read_vectored<B: IoBufMut>(
                &self,
                bufs: Vec<B>,
            ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
                self.stream().read_vectored(bufs)
            }
        }

        impl<$($generics)*> AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_read(cx, buffer)
            }
        }
    };
}

/// Writing: for what has a `fn stream(&self) -> &Stream`.
macro_rules! writes {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// Waits until there is room to write, or the connection is broken, as far as is known. Whoever
            /// finds no room all the same waits again.
            ///
            /// # Errors
            /// If the kernel refuses.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn writable(&self) -> io::Result<()> {
                self.stream().writable().await
            }

            /// Writes what there is room for, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if there is no room, and those of the system call.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.stream().try_write(bytes)
            }
        }

        impl<$($generics)*> AsyncWriteOwned for $type {
            fn write<B: IoBuf>(
                &self,
                buf: B,
            ) -> impl Future<Output = BufResult<usize, B>> {
                self.stream().socket.send(buf)
            }

            fn write_vectored<B: IoBuf>(
                &self,
                bufs: Vec<B>,
            ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
                self.stream().socket.send_msg(bufs)
            }

            fn write_all<B: IoBuf>(&self, buf: B) -> impl Future<Output = BufResult<(), B>> {
                self.stream().socket.send_all(buf)
            }
        }

        impl<$($generics)*> AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_write(cx, &[IoSlice::new(bytes)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_write(cx, slices)
            }

            /// Waits for a write that was begun and given up.
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.stream().poll_flush(cx)
            }

            /// Closes the writing side. A connection that is gone counts as closed.
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.stream().poll_close(cx)
            }
        }
    };
}

/// Showing the descriptor: for what has a `fn socket(&self) -> &Owner`.
macro_rules! shows_descriptor {
    ($($type:ident),*) => {
        $(
            impl AsFd for $type {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.socket().as_fd()
                }
            }

            impl AsRawFd for $type {
                fn as_raw_fd(&self) -> RawFd {
                    self.as_fd().as_raw_fd()
                }
            }

            impl fmt::Debug for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let mut fields = f.debug_struct(stringify!($type));
                    fields.field("fd", &self.as_raw_fd()).finish_non_exhaustive()
                }
            }
        )*
    };
}

/// Datagrams: for what has a `socket: Owner`. `$sender` makes an address of what the kernel tells.
macro_rules! datagrams {
    ($type:ident, $address:ty, $sender:ident) => {
        impl $type {
            /// Sends a datagram to where the socket is connected to.
            ///
            /// # Errors
            /// As the system call. It may be the error of an earlier datagram, which nobody has received.
            ///
            /// # Cancel safety
            /// None: it is not known whether the datagram was sent when the future is dropped.
            pub async fn send<B: IoBuf>(&self, buf: B) -> BufResult<usize, B> {
                self.socket.send_datagram(buf, None).await
            }

            /// Sends a datagram to where the socket is connected to, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if there is no room, and those of the system call.
            pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
                self.socket.try_io(Direction::Write, || rustix::net::send(self, bytes, SEND))
            }

            /// Receives a datagram. Returns how many bytes of it there was room for.
            ///
            /// # Errors
            /// As the system call. It may be the error of a datagram that was sent, and that nobody has
            /// received.
            ///
            /// # Cancel safety
            /// None: a datagram that was received when the future is dropped is lost. Where that matters,
            /// wait with [`readable`](Self::readable), and receive with [`try_recv`](Self::try_recv).
            pub async fn recv<B: IoBufMut>(&self, buf: B) -> BufResult<usize, B> {
                self.socket.recv(buf).await
            }

            /// Receives a datagram, and tells who has sent it.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// As `recv`.
            pub async fn recv_from<B: IoBufMut>(&self, buf: B) -> BufResult<(usize, $address), B> {
                let (result, bufs) = self.socket.recv_msg([buf]).await;
                (result.and_then(|(length, from)| Ok((length, $sender(from)?))), only(bufs))
            }

            /// Receives a datagram, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if there is none, and those of the system call.
            pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(self.socket.try_recv_from(buffer, RecvFlags::empty())?.0)
            }

            /// Receives a datagram, without waiting, and tells who has sent it.
            ///
            /// # Errors
            /// `WouldBlock` if there is none, and those of the system call.
            pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, $address)> {
                let (length, from) = self.socket.try_recv_from(buffer, RecvFlags::empty())?;
                Ok((length, $sender(from)?))
            }

            /// Waits for a datagram, and copies it as far as there is room. It stays there for whoever
            /// receives next.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(self.socket.peek_from(buffer).await?.0)
            }

            /// Waits for a datagram, copies it as far as there is room, and tells who has sent it. It stays
            /// there for whoever receives next.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, $address)> {
                let (length, from) = self.socket.peek_from(buffer).await?;
                Ok((length, $sender(from)?))
            }

            /// Waits until there is something to be received, if only an error, as far as is known. Whoever
            /// finds nothing all the same waits again.
            ///
            /// # Errors
            /// If the kernel refuses.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn readable(&self) -> io::Result<()> {
                self.socket.ready(Direction::Read).await
            }

            /// Waits until there is room to send, as far as is known. Whoever finds none all the same waits
            /// again.
            ///
            /// # Errors
            /// If the kernel refuses.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn writable(&self) -> io::Result<()> {
                self.socket.ready(Direction::Write).await
            }
        }
    };
}

/// Socket options: for what has a descriptor.
macro_rules! options {
    ($type:ty { $(
        $(#[$doc:meta])*
        $set:ident, $get:ident: $value:ty => $set_option:ident, $get_option:ident;
    )* }) => {
        impl $type {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// If the kernel refuses.
                pub fn $set(&self, value: $value) -> io::Result<()> {
                    Ok(sockopt::$set_option(self, value)?)
                }

                #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") sets.")]
                ///
                /// # Errors
                /// If the kernel refuses to tell.
                pub fn $get(&self) -> io::Result<$value> {
                    Ok(sockopt::$get_option(self)?)
                }
            )*

            /// The error that the kernel has noted on the socket, which is forgotten thereby.
            ///
            /// # Errors
            /// If the kernel refuses to tell.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                Ok(sockopt::socket_error(self)?.err().map(Into::into))
            }
        }
    };
}

pub(crate) use {datagrams, options, reads, shows_descriptor, writes};
