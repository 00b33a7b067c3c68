//! An application reaches every function that it may call through the table it receives.

mod common;

use common::header;
use std::collections::{BTreeMap, BTreeSet};

/// What only hosts call, by the beginning of its name. Whatever else the header declares is for
/// applications too, and stands in the table.
const FOR_HOSTS: [&str; 13] = [
    "awsgi_reactor_",
    "awsgi_application_",
    "awsgi_gateway_",
    "awsgi_server_",
    // An application watches through its exchange: its waits resume it.
    "awsgi_wait_start",
    "awsgi_waitable_foreign",
    "awsgi_exchange_feed",
    "awsgi_exchange_gone",
    "awsgi_exchange_fail",
    "awsgi_exchange_head",
    "awsgi_exchange_take",
    "awsgi_exchange_sent",
    "awsgi_exchange_end",
];
/// Exceptions from it.
const FOR_APPLICATIONS: [&str; 1] = ["awsgi_reactor_now"];

#[test]
fn every_function_of_the_table_has_its_name_in_the_application_header() {
    let names = names();
    for (function, field) in table() {
        assert_eq!(
            names.get(&function),
            Some(&field),
            "include/awsgi_application.h must say: #define {function} AWSGI_TABLE({field})"
        );
    }
}

#[test]
fn the_application_header_names_nothing_that_is_not_in_the_table() {
    let table = table();
    for function in names().keys() {
        assert!(table.contains_key(function), "{function} is not in awsgi_api");
    }
}

#[test]
fn the_table_holds_every_function_that_an_application_may_call() {
    let table = table();
    for function in header::functions(&header::awsgi_h()) {
        let for_hosts = !FOR_APPLICATIONS.contains(&&*function.name)
            && FOR_HOSTS.iter().any(|beginning| function.name.starts_with(beginning));
        assert_eq!(
            !for_hosts,
            table.contains_key(&function.name),
            "{}: in the table if an application may call it, otherwise named as one for hosts in \
             tests/application_table.rs",
            function.name
        );
    }
}

#[test]
fn a_function_of_the_table_has_the_prototype_of_the_header() {
    let text = header::awsgi_h();
    let functions: BTreeMap<String, String> = header::functions(&text)
        .into_iter()
        .map(|function| (function.name, shape(&function.prototype)))
        .collect();
    for field in api().fields.iter().filter(|field| field.declaration.contains("(*")) {
        let function = function_of(&field.name);
        let declared = functions.get(&function);
        let declared = declared.unwrap_or_else(|| panic!("the header does not declare {function}"));
        let pointer = field.declaration.replace(&format!("(*{})", field.name), &function);
        assert_eq!(&shape(&pointer), declared);
    }
}

/// The struct `awsgi_api` of the header.
fn api() -> header::Struct {
    let mut structs = header::structs(&header::awsgi_h()).into_iter();
    let api = structs.find(|item| item.name == "awsgi_api").expect("awsgi_api in the header");
    assert_eq!(api.fields[0].declaration, "size_t size", "the table begins with its size");
    api
}

/// The functions of the table: name in the header, field.
fn table() -> BTreeMap<String, String> {
    let table: BTreeMap<_, _> = api()
        .fields
        .iter()
        .filter(|field| field.declaration.contains("(*"))
        .map(|field| (function_of(&field.name), field.name.clone()))
        .collect();
    let declared: BTreeSet<_> =
        header::functions(&header::awsgi_h()).into_iter().map(|function| function.name).collect();
    for function in table.keys() {
        assert!(declared.contains(function), "awsgi_api offers {function}, which nothing declares");
    }
    assert!(!table.is_empty());
    table
}

/// The function behind a field, which may leave out the prefix.
fn function_of(field: &str) -> String {
    match field.starts_with("awsgi_") {
        true => field.to_owned(),
        false => format!("awsgi_{field}"),
    }
}

/// What `include/awsgi_application.h` maps: function, field.
fn names() -> BTreeMap<String, String> {
    let text = header::read("include/awsgi_application.h");
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
            let field = value.trim().strip_prefix("AWSGI_TABLE(")?.strip_suffix(')')?;
            name.starts_with("awsgi_").then(|| (name.to_owned(), field.to_owned()))
        })
        .collect()
}

/// A prototype without what may be written in more than one way.
fn shape(prototype: &str) -> String {
    prototype.chars().filter(|c| !c.is_whitespace()).collect()
}
