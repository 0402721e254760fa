use std::error::Error;
use std::pin::{Pin, pin};

use futures::future::{Either, select};
use futures::{AsyncRead, AsyncWrite};
use hyper::body::{Body, Incoming};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn;
use hyper::service::HttpService;

use crate::{HyperExecutor, HyperIo, HyperTimer};

/// Serves one HTTP/1 connection, until the client or hyper ends it. When `stopped` is ready, the
/// request that is being answered is the last.
///
/// # Errors
/// If the connection breaks, or the client does not speak HTTP.
///
/// # Panics
/// If no runtime with a clock runs on this thread.
///
/// # Cancel safety
/// Dropping the future drops the connection, be it in the middle of an answer.
pub async fn http1<S, V>(stream: S, service: V, stopped: impl Future) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: HttpService<Incoming, ResBody: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static>,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection =
        conn::http1::Builder::new().timer(HyperTimer).serve_connection(HyperIo(stream), service);
    serve(connection, stopped, |connection| connection.graceful_shutdown()).await
}

/// Serves one HTTP/2 connection, whose client begins with HTTP/2 at once. When `stopped` is ready, no
/// more requests are taken, and those that were are answered.
///
/// # Errors
/// If the connection breaks, or the client does not speak HTTP/2.
///
/// # Panics
/// If no runtime with a clock runs on this thread.
///
/// # Cancel safety
/// Dropping the future drops the connection, be it in the middle of an answer.
pub async fn http2<S, V>(stream: S, service: V, stopped: impl Future) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: HttpService<Incoming, ResBody: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static>,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    V::Future: 'static,
    HyperExecutor: Http2ServerConnExec<V::Future, V::ResBody>,
{
    let connection = conn::http2::Builder::new(HyperExecutor)
        .timer(HyperTimer)
        .serve_connection(HyperIo(stream), service);
    serve(connection, stopped, |connection| connection.graceful_shutdown()).await
}

async fn serve<C: Future>(
    connection: C,
    stopped: impl Future,
    end_gracefully: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    let mut connection = pin!(connection);
    match select(connection.as_mut(), pin!(stopped)).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => {
            end_gracefully(connection.as_mut());
            connection.await
        }
    }
}
