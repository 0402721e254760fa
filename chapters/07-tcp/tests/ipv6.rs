//! The other family of addresses.

use std::io::{self, ErrorKind};

use ch07_tcp::{Runtime, TcpListener, TcpStream};
use conformance::{check_trace, skip, watch};
use futures::future::join;

#[test]
fn an_ipv6_address_works_where_the_machine_has_one() {
    watch(|| {
        let runtime = Runtime::new().expect("descriptors are left");
        let result = runtime.block_on(async {
            let listener = match TcpListener::bind("[::1]:0") {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                    skip("this machine has no IPv6 loopback address");
                    return Ok(());
                }
                listener => listener?,
            };
            let address = listener.local_addr()?;
            let (accepted, connected) = join(listener.accept(), TcpStream::connect(address)).await;
            assert_eq!(accepted?.1, connected?.local_addr()?);
            io::Result::Ok(())
        });
        drop(runtime);
        result.expect("loopback connections do not fail");
        check_trace();
    });
}
