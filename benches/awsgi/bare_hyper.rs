//! The peer `bare hyper`: hyper on tokio, of the same shape as the bundled server in everything
//! that is not libawsgi. A thread, a current-thread runtime and local tasks for each worker, one
//! listening socket for all, the same settings of hyper, the same responses.
//!
//! It is as lean as one would write it by hand: it drops the head of a request before it sleeps.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};

use crate::measure::Outcome;
use crate::servers::WORKERS;

/// Serves until it is killed.
pub fn serve() -> Outcome<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>()?.into())?;
    socket.listen(4096)?;
    let address = socket.local_addr()?.as_socket().ok_or("no address")?;
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let socket = socket.try_clone()?;
            Ok(std::thread::spawn(move || worker(socket)))
        })
        .collect::<std::io::Result<_>>()?;
    eprintln!("listening on http://{address}");
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}

fn worker(socket: Socket) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(socket.into())?;
        // As in src/server/connection.rs.
        let mut http = http1::Builder::new();
        http.half_close(true).max_header_size(32 << 10).max_buf_size(64 << 10);
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true)?;
            let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::task::spawn_local(async move {
                let _ = connection.await;
            });
            // As our acceptor does.
            tokio::task::yield_now().await;
        }
    })
}

fn answer(request: Request<Incoming>) -> impl Future<Output = Result<Response<Text>, Infallible>> {
    let path = request.uri().path();
    let sleep = (path == "/sleep").then(|| milliseconds(request.uri().query()));
    let status = if path == "/hello" { StatusCode::OK } else { StatusCode::NOT_FOUND };
    drop(request);
    async move {
        let Some(ms) = sleep else { return Ok(text(status, Bytes::from_static(b"hello\n"))) };
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(text(StatusCode::OK, format!("slept {ms} ms\n").into()))
    }
}

fn milliseconds(query: Option<&str>) -> u64 {
    query.and_then(|query| query.strip_prefix("ms=")?.parse().ok()).unwrap_or(250)
}

fn text(status: StatusCode, text: Bytes) -> Response<Text> {
    let mut response = Response::new(Text(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A body of one piece.
struct Text(Bytes);

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = std::mem::take(&mut self.0);
        Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
