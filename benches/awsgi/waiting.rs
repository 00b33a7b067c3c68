//! Connections whose requests a server keeps waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::measure::Outcome;

/// Opens connections, without asking for anything yet.
pub fn connect(address: SocketAddr, count: usize) -> Outcome<Vec<TcpStream>> {
    let connect = || -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // Closed with a reset: so many ports in TIME_WAIT would be missing in the next round.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    };
    (0..count)
        .map(|_| connect().map_err(|error| format!("connecting to {address}: {error}").into()))
        .collect()
}

/// Asks for a sleep of so many milliseconds.
pub fn ask(stream: &mut TcpStream, milliseconds: u64) -> Outcome<()> {
    let request = format!("GET /sleep?ms={milliseconds} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Ok(stream.write_all(request.as_bytes())?)
}

/// Reads what has come of an answer.
pub fn read(stream: &mut TcpStream) -> Outcome<String> {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Whether this is the whole answer to `ask`.
pub fn is_answer(text: &str) -> bool {
    text.starts_with("HTTP/1.1 200 ") && text.ends_with(" ms\n")
}

/// Refuses to go on if one of them got an answer, or was closed.
pub fn check_waiting(streams: &[TcpStream]) -> Outcome<()> {
    for stream in streams {
        stream.set_nonblocking(true)?;
        match stream.peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => return Err("a request that should wait was answered, or refused".into()),
        }
    }
    Ok(())
}
