//! The environ that an application sees, from the bytes that a client sends.

use std::collections::BTreeMap;

use crate::apps::app;
use crate::server::Server;
use crate::wire::{LAST, Wire};

/// What the application saw of this request; every key once.
fn environ(server: &Server, request: &str) -> BTreeMap<String, String> {
    let response = Wire::ask(server, request);
    assert_eq!(response.status, 200, "{request:?}");
    let text = response.text();
    let mut environ = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once('=').unwrap();
        let before = environ.insert(key.to_owned(), value.to_owned());
        assert!(before.is_none(), "{key} is there twice");
    }
    environ
}

#[test]
fn it_has_all_variables_of_cgi_and_the_keys_of_pep_3333() {
    let server = Server::start(&app("environ"), &["--workers", "2"]);
    let seen = environ(
        &server,
        "POST /a%20b/c%2Fd?x=%20y&z HTTP/1.1\r\nHost: example.org:81\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: 2\r\nUser-Agent: someone\r\n\r\nhi",
    );
    let port = server.address().port().to_string();
    for (key, value) in [
        ("REQUEST_METHOD", "POST"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/a b/c/d"),
        ("QUERY_STRING", "x=%20y&z"),
        ("REQUEST_URI", "/a%20b/c%2Fd?x=%20y&z"),
        ("CONTENT_TYPE", "text/plain"),
        ("CONTENT_LENGTH", "2"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_PORT", &port),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_HOST", "example.org:81"),
        ("HTTP_USER_AGENT", "someone"),
        ("wsgi.version", "1.0"),
        ("wsgi.url_scheme", "http"),
        ("wsgi.multithread", "1"),
        ("wsgi.multiprocess", "0"),
        ("wsgi.run_once", "0"),
        ("wsgi.input_terminated", "1"),
    ] {
        assert_eq!(seen.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(seen["SERVER_SOFTWARE"].starts_with("libawsgi/"));
    assert!(seen["REMOTE_PORT"].parse::<u16>().is_ok());
    for key in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTPS"] {
        assert!(!seen.contains_key(key), "{key}");
    }
}

#[test]
fn headers_are_joined_in_their_order_and_cleaned() {
    let server = Server::start(&app("environ"), &[]);
    let seen = environ(
        &server,
        &format!(
            "GET / HTTP/1.1\r\nAccept: a\r\nX_Forwarded_For: forged\r\nX-Forwarded-For: real\r\n\
             Proxy: http://evil\r\nproxy: evil\r\nCookie: a=1\r\naccept: b\r\nCOOKIE: b=2\r\n\
             X-Empty:\r\nX-Space:   \t in the middle \t\r\nX-Latin: caf\u{e9}\r\n{LAST}"
        ),
    );
    for (key, value) in [
        ("HTTP_ACCEPT", "a,b"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("HTTP_X_FORWARDED_FOR", "real"),
        ("HTTP_X_EMPTY", ""),
        ("HTTP_X_SPACE", "in the middle"),
        ("HTTP_X_LATIN", "caf\u{e9}"),
    ] {
        assert_eq!(seen.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(!seen.contains_key("HTTP_PROXY"));
    assert!(!seen.keys().any(|key| key.starts_with("HTTP_") && key.contains('-')));
}

#[test]
fn the_path_is_decoded_once_and_the_query_is_left_alone() {
    let server = Server::start(&app("environ"), &[]);
    for (target, path, query) in [
        ("/", "/", ""),
        ("/%2525", "/%25", ""),
        ("/%zz%4", "/%zz%4", ""),
        ("/%C3%A4%2f..%2f", "/\u{e4}/../", ""),
        ("/a+b", "/a+b", ""),
        ("/?a=%26&b=+", "/", "a=%26&b=+"),
        ("/a??b", "/a", "?b"),
        ("//a//b/./..", "//a//b/./..", ""),
        ("http://host.example/a%20b?c", "/a b", "c"),
        ("http://host.example", "/", ""),
    ] {
        let seen = environ(&server, &format!("GET {target} HTTP/1.1\r\n{LAST}"));
        assert_eq!(seen["PATH_INFO"], path, "{target}");
        assert_eq!(seen["QUERY_STRING"], query, "{target}");
    }
}

#[test]
fn the_version_and_the_method_are_the_clients() {
    let server = Server::start(&app("environ"), &["--workers", "1"]);
    let seen = environ(&server, "GET / HTTP/1.0\r\n\r\n");
    assert_eq!(seen["SERVER_PROTOCOL"], "HTTP/1.0");
    assert_eq!(seen["wsgi.multithread"], "0");
    for method in ["OPTIONS", "DELETE", "PATCH", "BREW", "get"] {
        let seen = environ(&server, &format!("{method} / HTTP/1.1\r\n{LAST}"));
        assert_eq!(seen["REQUEST_METHOD"], method);
    }
    let seen = environ(&server, &format!("OPTIONS * HTTP/1.1\r\n{LAST}"));
    assert_eq!(seen["PATH_INFO"], "*");
}

#[test]
fn a_mounted_application_sees_its_prefix_as_script_name() {
    let application = app("environ");
    let mount = |prefix: &str| format!("{prefix}={}", application.display());
    let (one, two) = (mount("/one"), mount("/one/two"));
    let server = Server::start(&application, &["--mount", &one, "--mount", &two]);
    for (target, script, path) in [
        ("/", "", "/"),
        ("/one", "/one", ""),
        ("/one/", "/one", "/"),
        ("/one/x%2Fy", "/one", "/x/y"),
        ("/one/two", "/one/two", ""),
        ("/one/two/three", "/one/two", "/three"),
        ("/onetwo", "", "/onetwo"),
        ("http://host.example/one/x?y", "/one", "/x"),
    ] {
        let seen = environ(&server, &format!("GET {target} HTTP/1.1\r\n{LAST}"));
        assert_eq!(
            (seen["SCRIPT_NAME"].as_str(), seen["PATH_INFO"].as_str()),
            (script, path),
            "{target}"
        );
    }
}
