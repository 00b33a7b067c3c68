//! Requests that are served, in all the shapes that HTTP/1.1 has.

use super::*;

#[test]
fn a_response_has_its_length_its_fields_and_a_date() {
    let response = serve(|_| {}).ask(&format!("GET /hello HTTP/1.1\r\n{CLOSE}"));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("x-demo: 1\r\nx-demo: 2\r\n"), "{response}");
    assert!(response.contains("content-length: 5\r\n"), "{response}");
    assert!(response.contains("date: "), "{response}");
    assert!(!response.contains("server: "), "{response}");
    assert!(response.ends_with("\r\n\r\nhello"), "{response}");
}

#[test]
fn a_status_without_a_reason_of_its_own_has_none() {
    let response = serve(|_| {}).ask(&format!("GET /odd HTTP/1.1\r\n{CLOSE}"));
    assert!(response.starts_with("HTTP/1.1 299 \r\n"), "{response}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let get = "GET /sleep?20 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let response = serve(|_| {}).ask(&format!("{get}{get}HEAD /hello HTTP/1.1\r\n{CLOSE}"));
    assert_eq!(response.matches("HTTP/1.1 200 OK").count(), 5, "{response}");
    let (slept, hello) = (response.find("slept").unwrap(), response.find("hello").unwrap());
    assert!(slept < hello);
    assert!(response.ends_with("\r\n\r\n"), "HEAD has no body: {response}");
    assert!(response.rfind("content-length: 5").unwrap() > response.rfind("hello").unwrap());
}

#[test]
fn a_mount_gets_its_script_name() {
    let running = serve(|options| {
        let mounted = Arc::new(Demo(Arc::default()));
        options.mounts.push(("/mounted".into(), mounted));
    });
    let response = running.ask(&format!("GET /mounted/script HTTP/1.1\r\n{CLOSE}"));
    assert!(response.ends_with("\r\n\r\n/mounted"), "{response}");
    let response = running.ask(&format!("GET /script HTTP/1.1\r\n{CLOSE}"));
    assert!(response.contains("content-length: 0\r\n"), "{response}");
}

#[test]
fn bodies_arrive_fixed_and_chunked_and_larger_than_every_buffer() {
    let running = serve(|_| {});
    let body = "y".repeat(1 << 20);
    let length = body.len();
    let head = format!("POST /upload HTTP/1.1\r\nContent-Length: {length}\r\n{CLOSE}");
    assert!(running.ask(&format!("{head}{body}")).ends_with("\r\n\r\n1048576"));
    let head = format!("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{CLOSE}");
    let chunk = format!("{:x}\r\n{body}\r\n", length);
    let response = running.ask(&format!("{head}{chunk}{chunk}0\r\n\r\n"));
    assert!(response.ends_with("\r\n\r\n2097152"), "{response}");
}

#[test]
fn a_large_response_is_whole_and_chunked() {
    let running = serve(|_| {});
    let response = running.ask(&format!("GET /stream?3000000 HTTP/1.1\r\n{CLOSE}"));
    assert!(response.contains("transfer-encoding: chunked"));
    assert!(response.ends_with("\r\n0\r\n\r\n"));
    let old = running.ask("GET /stream?3000000 HTTP/1.0\r\n\r\n");
    assert_eq!(old.split_once("\r\n\r\n").unwrap().1.len(), 3_000_000);
}

#[test]
fn a_100_is_sent_when_the_application_wants_the_body() {
    let running = serve(|_| {});
    let expect = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut stream = running.connect();
    write!(stream, "POST /upload HTTP/1.1\r\n{expect}").unwrap();
    read(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").unwrap();
    read(&mut stream, "HTTP/1.1 200 OK\r\n");
    let mut stream = running.connect();
    write!(stream, "POST /hello HTTP/1.1\r\n{expect}").unwrap();
    read(&mut stream, "HTTP/1.1 200 OK\r\n");
}
