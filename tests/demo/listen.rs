//! Where the command listens: a descriptor it was given, a Unix socket, IPv6.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::apps::app;
use crate::common::c;
use crate::http;
use crate::process::Process;
use crate::server::Server;
use crate::wire::{LAST, Wire};

/// A path for a socket. Short, because sockets have no long names; removed at the end.
struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Path {
        let name = format!("awsgi-{}-{name}.sock", std::process::id());
        Path(std::env::temp_dir().join(name))
    }

    fn serve(&self) -> Command {
        let mut command = c::server();
        command.args(["serve", "--bind", &format!("unix:{}", self.0.display())]);
        command.arg(app("environ")).stdin(Stdio::null());
        command
    }

    fn ask(&self, path: &str) -> String {
        let mut wire = Wire::connect_at(&self.0);
        wire.send(format!("GET {path} HTTP/1.1\r\n{LAST}"));
        let response = wire.response();
        assert_eq!(response.status, 200);
        wire.assert_closed();
        response.text()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let path = Path::new("served");
    let mut server = Server::run(&mut path.serve());
    assert_eq!(server.url, format!("unix:{}", path.0.display()));
    let seen = path.ask("/over%20unix");
    assert!(seen.contains("PATH_INFO=/over unix\n"), "{seen}");
    for key in ["SERVER_NAME=", "SERVER_PORT=", "REMOTE_ADDR="] {
        assert!(seen.contains(key), "{key}: {seen}");
    }
    server.process().signal("TERM");
    assert_eq!(server.process().wait().code(), Some(0));
    assert!(!path.0.exists(), "the socket stays behind");
}

#[test]
fn a_socket_whose_server_is_gone_is_replaced() {
    let path = Path::new("stale");
    let first = Server::run(&mut path.serve());
    // Killed, it cannot clean up.
    drop(first);
    assert!(path.0.exists());
    let _second = Server::run(&mut path.serve());
    path.ask("/");
}

#[test]
fn a_socket_that_is_served_is_left_to_its_server() {
    let path = Path::new("live");
    let _first = Server::run(&mut path.serve());
    let mut second = Process::start(&mut path.serve());
    assert_eq!(second.wait().code(), Some(1));
    let said = second.stderr.text();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("a server listens there"), "{said}");
    path.ask("/");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let path = Path::new("file");
    std::fs::write(&path.0, "precious").unwrap();
    let mut process = Process::start(&mut path.serve());
    assert_eq!(process.wait().code(), Some(1));
    assert_eq!(process.stderr.text().lines().count(), 1, "{}", process.stderr.text());
    assert_eq!(std::fs::read_to_string(&path.0).unwrap(), "precious");
}

/// A server whose standard input is a socket that listens.
fn inherit(socket: OwnedFd) -> Server {
    let mut command = c::server();
    command.args(["serve", "--fd", "0"]).arg(app("environ")).stdin(Stdio::from(socket));
    Server::listening(Process::start(&mut command))
}

#[test]
fn a_descriptor_that_listens_is_taken_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = inherit(listener.into());
    assert_eq!(server.url, format!("http://{address}"));
    assert_eq!(http::get(&server, "/").status, 200);
    server.process().signal("TERM");
    assert_eq!(server.process().wait().code(), Some(0));
}

#[test]
fn connections_that_came_before_it_are_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let early = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = inherit(listener.into());
    drop(early);
    assert_eq!(http::get(&server, "/").status, 200);
}

#[test]
fn a_unix_socket_may_be_inherited_and_stays() {
    let path = Path::new("inherited");
    let listener = UnixListener::bind(&path.0).unwrap();
    let mut server = inherit(listener.into());
    assert!(path.ask("/x").contains("PATH_INFO=/x\n"));
    server.process().signal("TERM");
    assert_eq!(server.process().wait().code(), Some(0));
    assert!(path.0.exists(), "it is not the server's to remove");
}

#[test]
fn a_name_and_an_ipv6_address_are_understood() {
    for (bind, start) in [("localhost:0", "http://"), ("[::1]:0", "http://[::1]:")] {
        if bind.contains("::1") && TcpListener::bind("[::1]:0").is_err() {
            println!("there is no IPv6 here");
            continue;
        }
        let mut command = c::server();
        command.args(["serve", "--bind", bind]).arg(app("environ"));
        let server = Server::run(&mut command);
        assert!(server.url.starts_with(start), "{}", server.url);
        assert_eq!(http::get(&server, "/").status, 200);
    }
}
