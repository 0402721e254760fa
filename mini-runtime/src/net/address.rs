use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::{iter, mem, option, slice, vec};

use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

use self::sealed::Target;
use crate::task::spawn_blocking;

/// One IP address or several, or a host name with a port, as [`std::net::ToSocketAddrs`] has them.
///
/// An IP address is taken as it is, also from a string. A host name has to be looked up, which blocks: the
/// functions that are `async` have it done by a thread of [`spawn_blocking`].
///
/// No other types can implement it.
pub trait ToSocketAddrs: sealed::ToTarget {}

/// Looks up a host name, without blocking this thread.
///
/// # Errors
/// If there is no such host, or if `host` is no address.
///
/// # Panics
/// If no runtime runs on this thread, or if the system gives no thread for the look-up.
///
/// # Cancel safety
/// Dropping the future loses the answer, and nothing else.
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    addresses(host).await
}

pub(crate) type Addresses = iter::Chain<option::IntoIter<SocketAddr>, vec::IntoIter<SocketAddr>>;

pub(crate) async fn addresses(to: impl ToSocketAddrs) -> io::Result<Addresses> {
    match to.target()? {
        Target::Known(addresses) => Ok(addresses),
        Target::Name(host, port) => {
            let looked_up = spawn_blocking(move || look_up(&host, port)).await;
            // It does not panic, and is cancelled only with the runtime.
            looked_up?
        }
    }
}

/// The same, for who may block.
pub(crate) fn addresses_blocking(to: impl ToSocketAddrs) -> io::Result<Addresses> {
    match to.target()? {
        Target::Known(addresses) => Ok(addresses),
        Target::Name(host, port) => look_up(&host, port),
    }
}

fn look_up(host: &str, port: u16) -> io::Result<Addresses> {
    Ok(several(std::net::ToSocketAddrs::to_socket_addrs(&(host, port))?.collect()))
}

fn several(addresses: Vec<SocketAddr>) -> Addresses {
    None.into_iter().chain(addresses)
}

/// Calls `f` with one address after the other, until it succeeds.
///
/// # Errors
/// The error of the last address.
pub(crate) fn first<T>(
    addresses: Addresses,
    f: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last_error = no_address();
    for result in addresses.map(f) {
        match result {
            Ok(value) => return Ok(value),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address")
}

mod sealed {
    pub trait ToTarget {
        fn target(&self) -> std::io::Result<Target>;
    }

    pub enum Target {
        Known(super::Addresses),
        Name(String, u16),
    }
}

macro_rules! known {
    ($($type:ty),*) => {
        $(
            impl ToSocketAddrs for $type {}

            impl sealed::ToTarget for $type {
                fn target(&self) -> io::Result<Target> {
                    let address = SocketAddr::from(*self);
                    Ok(Target::Known(Some(address).into_iter().chain(Vec::new())))
                }
            }
        )*
    };
}

known!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ToSocketAddrs for [SocketAddr] {}

impl sealed::ToTarget for [SocketAddr] {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Known(several(self.to_vec())))
    }
}

impl ToSocketAddrs for (&str, u16) {}

impl sealed::ToTarget for (&str, u16) {
    fn target(&self) -> io::Result<Target> {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => (ip, self.1).target(),
            Err(_) => Ok(Target::Name(self.0.to_owned(), self.1)),
        }
    }
}

impl ToSocketAddrs for (String, u16) {}

impl sealed::ToTarget for (String, u16) {
    fn target(&self) -> io::Result<Target> {
        (self.0.as_str(), self.1).target()
    }
}

impl ToSocketAddrs for str {}

impl sealed::ToTarget for str {
    fn target(&self) -> io::Result<Target> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return address.target();
        }
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        let (host, port) =
            self.rsplit_once(':').ok_or_else(|| invalid("an address needs a port"))?;
        let port = port.parse().map_err(|_| invalid("the port of an address is a number"))?;
        Ok(Target::Name(host.to_owned(), port))
    }
}

impl ToSocketAddrs for String {}

impl sealed::ToTarget for String {
    fn target(&self) -> io::Result<Target> {
        self.as_str().target()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}

impl<T: ToSocketAddrs + ?Sized> sealed::ToTarget for &T {
    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }
}

pub(crate) fn family(address: &SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}

/// A Unix address, as the kernel wants to be told.
pub(crate) fn unix_to_kernel(address: &UnixAddr) -> io::Result<SocketAddrAny> {
    let address = if let Some(path) = address.as_pathname() {
        SocketAddrUnix::new(path)?
    } else if let Some(name) = address.as_abstract_name() {
        SocketAddrUnix::new_abstract_name(name)?
    } else {
        SocketAddrUnix::new_unnamed()
    };
    Ok(address.into())
}

/// A Unix address that the kernel has told. No address is an unnamed one, and so is one that the standard
/// library has no words for: a path that fills the address to its last byte.
pub(crate) fn unix_from_kernel(address: Option<SocketAddrAny>) -> UnixAddr {
    let bytes = address.as_ref().map_or(&[][..], |address| {
        let length = address.addr_len() as usize;
        // SAFETY: an address has that many initialized bytes.
        unsafe { slice::from_raw_parts(address.as_ptr().cast::<u8>(), length) }
    });
    // In front of the name is the family, a `u16`.
    let name = bytes.get(mem::size_of::<u16>()..).unwrap_or_default();
    let known = match name {
        [0, name @ ..] => UnixAddr::from_abstract_name(name),
        // A path ends with a zero.
        path => {
            let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
            UnixAddr::from_pathname(OsStr::from_bytes(path))
        }
    };
    known.or_else(|_| UnixAddr::from_pathname("")).expect("no path is too short")
}
