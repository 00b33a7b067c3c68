//! Where a server listens: an address, a path, or a socket that it was given.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::error::{Error, Result, Status};
use crate::sources::inherit;

/// Connections that the kernel keeps for us while no worker accepts; the kernel lowers it to its
/// own limit (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Where to listen.
#[derive(Debug)]
pub enum Listen {
    /// An address. With port 0 the kernel chooses one, which
    /// [`Server::local_addr`](super::Server::local_addr) tells.
    Address(SocketAddr),
    /// A Unix socket at this path. A socket that nobody listens at any more is replaced, and ours
    /// is removed when the server has ended. It may be used by whom the umask of the process
    /// lets: all (0777) less the umask.
    Unix(PathBuf),
    /// A stream socket that listens already. Its descriptor is owned from now on.
    Descriptor(OwnedFd),
    /// The same, by the number with which the process was started. A duplicate is used; the
    /// descriptor itself stays as it is.
    Inherited(RawFd),
}

impl FromStr for Listen {
    type Err = Error;

    /// `ADDRESS:PORT`, `[ADDRESS]:PORT` for IPv6, `NAME:PORT`, or `unix:PATH`.
    fn from_str(text: &str) -> Result<Listen> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(Error::new(
                    Status::Invalid,
                    "unix: has no path: write it as unix:/run/app.sock",
                ));
            }
            return Ok(Listen::Unix(path.into()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Listen::Address(address));
        }
        let malformed = || {
            Error::new(
                Status::Invalid,
                format!(
                    "{text:?} is no address: write ADDRESS:PORT as 127.0.0.1:8080, \
                     [::1]:8080 for IPv6, or unix:PATH"
                ),
            )
        };
        let (name, port) = text.rsplit_once(':').ok_or_else(malformed)?;
        let port: u16 = port.parse().map_err(|_| malformed())?;
        if name.is_empty() || name.contains([':', '/', '[', ']', ' ']) {
            return Err(malformed());
        }
        match (name, port).to_socket_addrs().map(|mut found| found.next()) {
            Ok(Some(address)) => Ok(Listen::Address(address)),
            Ok(None) | Err(_) => Err(Error::new(
                Status::Invalid,
                format!("the name {name:?} has no address: check it, or write an IP address"),
            )),
        }
    }
}

/// Where a server does listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// At this address, with its real port.
    Inet(SocketAddr),
    /// At this path; `None` if the socket has none.
    Unix(Option<PathBuf>),
}

impl Address {
    /// The port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(address) => Some(address.port()),
            Address::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    /// `http://127.0.0.1:8080` or `unix:/run/app.sock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => write!(f, "http://{address}"),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:"),
        }
    }
}

/// A socket that listens.
pub(super) struct Listener {
    socket: Socket,
    address: Address,
    made: Option<Made>,
}

/// The path of a socket that we made, with its device and inode. It is removed when this is
/// dropped, if it is still ours.
pub(super) struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listener {
    pub(super) fn bind(listen: Listen) -> Result<Listener> {
        match listen {
            Listen::Address(address) => bind_address(address),
            Listen::Unix(path) => bind_path(path),
            Listen::Descriptor(fd) => adopt(fd),
            Listen::Inherited(number) => adopt(inherit::duplicate(number)?),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The same socket once more, for a worker.
    pub(super) fn share(&self) -> Result<Socket> {
        self.socket.try_clone().map_err(|error| Error::os("share the listening socket", &error))
    }

    /// Leaves the socket to those who share it: it is closed when they close theirs. What is left
    /// is the path, to be kept until the end.
    pub(super) fn hand_over(self) -> Option<Made> {
        self.made
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Another server may have replaced it in the meantime; that one is not ours to remove.
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn bind_address(address: SocketAddr) -> Result<Listener> {
    let bound = || -> io::Result<(Socket, Option<SocketAddr>)> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // A server that was just ended leaves connections in TIME_WAIT; they must not keep the
        // next one from its port.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let local = socket.local_addr()?.as_socket();
        Ok((socket, local))
    };
    match bound() {
        Ok((socket, local)) => {
            Ok(Listener { socket, address: Address::Inet(local.unwrap_or(address)), made: None })
        }
        Err(error) => Err(Error::os(&format!("listen at {address}"), &error)),
    }
}

fn bind_path(path: PathBuf) -> Result<Listener> {
    let what = || format!("listen at unix:{}", path.display());
    let address = SockAddr::unix(&path).map_err(|_| {
        Error::new(
            Status::Invalid,
            format!("{} is too long for a Unix socket: use a shorter path", path.display()),
        )
    })?;
    make_way(&path, &address)?;
    let bound = || -> io::Result<(Socket, std::fs::Metadata)> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address)?;
        socket.listen(BACKLOG)?;
        let metadata = std::fs::symlink_metadata(&path)?;
        Ok((socket, metadata))
    };
    let (socket, metadata) = bound().map_err(|error| Error::os(&what(), &error))?;
    Ok(Listener {
        socket,
        address: Address::Unix(Some(path.clone())),
        made: Some(Made { path, device: metadata.dev(), inode: metadata.ino() }),
    })
}

/// Removes the socket of a server that is no more. What is in use, or no socket, stays.
fn make_way(path: &Path, address: &SockAddr) -> Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let refuse = |why: &str| {
        Err(Error::new(Status::Invalid, format!("listen at unix:{}: {why}", path.display())))
    };
    if !found.file_type().is_socket() {
        return refuse("a file that is no socket is there: choose another path, or remove it");
    }
    let asked = || -> io::Result<()> {
        let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A full backlog would keep a blocking connect waiting.
        probe.set_nonblocking(true)?;
        probe.connect(address)
    };
    match asked() {
        Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {
            std::fs::remove_file(path).map_err(|error| {
                Error::os(&format!("replace the old socket {}", path.display()), &error)
            })
        }
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            refuse("it is in the way, and this user may not use it: choose another path")
        }
        _ => refuse("a server listens there: choose another path, or end that server"),
    }
}

fn adopt(fd: OwnedFd) -> Result<Listener> {
    let socket = Socket::from(fd);
    let refuse = || {
        Error::new(
            Status::Invalid,
            "the descriptor is not a stream socket that listens: pass the number of one, as \
             systemd does from 3 on",
        )
    };
    let stream = socket.r#type().is_ok_and(|found| found == Type::STREAM);
    if !stream || !socket.is_listener().unwrap_or(false) {
        return Err(refuse());
    }
    let local = socket.local_addr().map_err(|_| refuse())?;
    let address = if local.is_unix() {
        Address::Unix(local.as_pathname().map(Path::to_path_buf))
    } else {
        Address::Inet(local.as_socket().ok_or_else(refuse)?)
    };
    socket
        .set_nonblocking(true)
        .map_err(|error| Error::os("make the given socket non-blocking", &error))?;
    Ok(Listener { socket, address, made: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A directory of its own, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("awsgi-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("socket")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn refused(listen: Listen) -> String {
        match Listener::bind(listen) {
            Ok(_) => panic!("it was taken"),
            Err(error) => error.message().to_string(),
        }
    }

    #[test]
    fn addresses_and_paths_are_understood() {
        assert!(matches!("127.0.0.1:8080".parse(), Ok(Listen::Address(a)) if a.port() == 8080));
        assert!(matches!("[::1]:0".parse(), Ok(Listen::Address(a)) if a.is_ipv6()));
        assert!(matches!("unix:/a b".parse(), Ok(Listen::Unix(p)) if p == Path::new("/a b")));
    }

    #[test]
    fn a_malformed_address_is_refused_with_an_example() {
        for text in
            ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:99999", "::1:80", "unix:", "a b:1"]
        {
            let error = text.parse::<Listen>().unwrap_err();
            assert!(error.message().contains("write"), "{text:?}: {error}");
        }
    }

    #[test]
    fn port_0_is_answered_with_the_port_that_was_chosen() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(listener.address().port(), Some(0));
    }

    #[test]
    fn a_taken_port_is_refused_with_what_to_do() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Inet(address) = *first.address() else { panic!("not an address") };
        let message = refused(Listen::Address(address));
        assert!(message.contains("another program listens there"), "{message}");
    }

    #[test]
    fn a_live_unix_socket_is_refused_and_stays() {
        let scratch = Scratch::new("live");
        let first = Listener::bind(Listen::Unix(scratch.socket())).unwrap();
        let message = refused(Listen::Unix(scratch.socket()));
        assert!(message.contains("a server listens there"), "{message}");
        drop(first);
        assert!(!scratch.socket().exists(), "our socket is removed at the end");
    }

    #[test]
    fn the_socket_of_a_dead_server_is_replaced() {
        let scratch = Scratch::new("dead");
        drop(UnixListener::bind(scratch.socket()).unwrap());
        assert!(scratch.socket().exists());
        Listener::bind(Listen::Unix(scratch.socket())).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_never_removed() {
        let scratch = Scratch::new("file");
        std::fs::write(scratch.socket(), "precious").unwrap();
        let message = refused(Listen::Unix(scratch.socket()));
        assert!(message.contains("no socket"), "{message}");
        assert_eq!(std::fs::read_to_string(scratch.socket()).unwrap(), "precious");
    }

    #[test]
    fn a_socket_that_another_server_made_is_not_removed() {
        let scratch = Scratch::new("other");
        let ours = Listener::bind(Listen::Unix(scratch.socket())).unwrap();
        std::fs::remove_file(scratch.socket()).unwrap();
        let _theirs = UnixListener::bind(scratch.socket()).unwrap();
        drop(ours);
        assert!(scratch.socket().exists());
    }

    #[test]
    fn a_descriptor_must_be_a_listening_socket() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(refused(Listen::Descriptor(file.into())).contains("stream socket that listens"));
        let idle = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(refused(Listen::Descriptor(idle.into())).contains("stream socket that listens"));
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listening.local_addr().unwrap().port();
        let listener = Listener::bind(Listen::Descriptor(listening.into())).unwrap();
        assert_eq!(listener.address().port(), Some(port));
    }
}
