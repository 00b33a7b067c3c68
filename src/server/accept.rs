//! A worker's share of the listening socket.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::Socket;
use tokio::net::{TcpListener, UnixListener};

use super::hub::Hub;
use super::io::Stream;
use super::link::{Ends, Text};
use super::listener::Address;
use crate::error::{Error, Result};

/// How long nothing is accepted when the system has nothing to give.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts connections from the socket that all workers share.
pub(super) struct Acceptor {
    socket: Shared,
    /// The address that every connection comes to; unknown if the socket listens at all of them.
    local: Option<SocketAddr>,
    /// The system has refused us, and we have said so.
    starving: bool,
}

enum Shared {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    pub(super) fn new(socket: Socket, address: &Address) -> Result<Acceptor> {
        let (socket, local) = match address {
            Address::Inet(local) => (
                TcpListener::from_std(socket.into()).map(Shared::Tcp),
                Some(*local).filter(|local| !local.ip().is_unspecified()),
            ),
            Address::Unix(_) => (UnixListener::from_std(socket.into()).map(Shared::Unix), None),
        };
        let socket = socket.map_err(|error| Error::os("accept connections", &error))?;
        Ok(Acceptor { socket, local, starving: false })
    }

    /// The next connection, whatever happens to others before it. Dropping the future loses none.
    pub(super) async fn accept(&mut self, hub: &Rc<Hub>) -> (Stream, Ends) {
        loop {
            let error = match self.try_accept(hub).await {
                Ok(accepted) => {
                    self.starving = false;
                    return accepted;
                }
                Err(error) => error,
            };
            if !is_starvation(&error) {
                // That connection ended before it was ours.
                tracing::debug!(%error, "a connection could not be accepted");
                continue;
            }
            if !self.starving {
                self.starving = true;
                let error = Error::os("accept connections", &error);
                let text = error.message();
                hub.diagnostics.error(format_args!("{text}; new connections wait until then"));
            }
            // The socket stays readable: asking again at once would only burn the processor.
            tokio::time::sleep(BACK_OFF).await;
        }
    }

    async fn try_accept(&self, hub: &Rc<Hub>) -> io::Result<(Stream, Ends)> {
        match &self.socket {
            Shared::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // Responses are written whole; waiting for more to send would only delay them.
                stream.set_nodelay(true)?;
                let local = match self.local {
                    Some(local) => local,
                    None => stream.local_addr()?,
                };
                let ends = Ends {
                    remote: Text::of(Some(remote.ip())),
                    remote_port: remote.port(),
                    server_port: local.port(),
                    server_name: hub.name_of(local.ip().to_canonical()),
                };
                Ok((Stream::Tcp(stream), ends))
            }
            Shared::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                // No address, no port: what HTTP has when nothing is said.
                let ends = Ends {
                    remote: Text::of(None),
                    remote_port: 0,
                    server_port: 80,
                    server_name: hub.local_name(),
                };
                Ok((Stream::Unix(stream), ends))
            }
        }
    }
}

/// Whether the process or the system lacks what every connection needs.
fn is_starvation(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
