//! Heads that an application must not send: refused before they reach the wire.

use crate::apps::app;
use crate::http;
use crate::server::Server;
use crate::wire::{LAST, Wire};

const HEADS: [&str; 18] = [
    "/name-cr",
    "/name-lf",
    "/name-crlf",
    "/name-nul",
    "/name-space",
    "/name-colon",
    "/name-empty",
    "/value-cr",
    "/value-lf",
    "/value-crlf",
    "/value-body",
    "/value-nul",
    "/connection",
    "/transfer-encoding",
    "/length",
    "/status-0",
    "/status-101",
    "/status-1000",
];

#[test]
fn the_application_is_told_and_may_answer_otherwise() {
    let server = Server::start(&app("heads"), &[]);
    for path in HEADS {
        let response = Wire::ask(&server, &format!("GET {path} HTTP/1.1\r\n{LAST}"));
        assert!(!response.head.contains("njected"), "{path}: {}", response.head);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.text(), "AWSGI_E_INVALID", "{path}");
    }
}

#[test]
fn an_application_that_does_not_listen_is_a_500() {
    let server = Server::start(&app("heads"), &[]);
    for path in HEADS {
        let got = http::get(&server, &format!("{path}?fail"));
        assert_eq!(got.status, 500, "{path}");
        assert!(!got.text().contains("njected"), "{path}: {}", got.text());
    }
}
