//! Every function of the header says what a C programmer has to know.

mod common;

use common::header;

#[test]
fn every_function_says_what_it_returns_who_owns_what_and_which_thread_may_call() {
    let mut wanting = Vec::new();
    for function in header::functions(&header::awsgi_h()) {
        let first = function.comment.lines().next().unwrap_or_default();
        if first.is_empty() || LINES.iter().any(|line| first.starts_with(line)) {
            wanting.push(format!("{}: no sentence that says what it does", function.name));
        }
        for line in LINES {
            let text = function.comment.lines().find_map(|found| found.strip_prefix(line));
            match text.map(str::trim) {
                None => wanting.push(format!("{}: no line `{line}`", function.name)),
                Some("") => wanting.push(format!("{}: nothing after `{line}`", function.name)),
                Some(text) if line == "Threads:" && !names_threads(text) => wanting
                    .push(format!("{}: `Threads:` begins with none of {THREADS:?}", function.name)),
                Some(_) => {}
            }
        }
    }
    assert!(wanting.is_empty(), "{}", wanting.join("\n"));
}

#[test]
fn every_number_has_its_unit() {
    let mut wanting = Vec::new();
    for function in header::functions(&header::awsgi_h()) {
        let inside = function.prototype.split_once('(').unwrap().1;
        for parameter in inside.trim_end_matches(')').split(", ") {
            let Some((kind, name)) = parameter.rsplit_once([' ', '*']) else { continue };
            if !(kind.contains("size_t") || kind.contains("uint64_t")) {
                continue;
            }
            let text = explanation(&function.comment, name);
            if !UNITS.iter().any(|unit| text.contains(unit)) {
                wanting.push(format!("{}: `{name}` has none of {UNITS:?}: {text}", function.name));
            }
        }
    }
    assert!(wanting.is_empty(), "{}", wanting.join("\n"));
}

/// What a comment says of a parameter, in the lines that begin with its name, or with several.
fn explanation(comment: &str, name: &str) -> String {
    let mut found = String::new();
    let mut inside = false;
    for line in comment.lines() {
        let entry = line.split_once(": ").filter(|(names, _)| {
            names.chars().all(|c| c.is_ascii_alphabetic() || "_, ".contains(c))
        });
        if let Some((names, text)) = entry {
            inside = names.split(", ").any(|known| known == name);
            found += if inside { text } else { "" };
        } else if inside && !line.is_empty() {
            found += " ";
            found += line;
        } else {
            inside = false;
        }
    }
    found
}

/// What is counted. A handle and a cursor are the caller's, and mean nothing else.
const UNITS: [&str; 6] =
    ["nanoseconds", "bytes", "elements", "how ", "own name", "0 for the first"];

#[test]
fn every_struct_and_constant_is_explained() {
    let text = header::awsgi_h();
    let mut wanting = Vec::new();
    for item in header::structs(&text) {
        if item.comment.is_empty() && item.fields.iter().any(|field| field.comment.is_empty()) {
            wanting.push(format!("{}: neither it nor all its fields have a comment", item.name));
        }
    }
    for constant in header::constants(&text) {
        // One comment speaks for all of the version.
        if constant.comment.is_empty() && !constant.name.starts_with("AWSGI_VERSION_") {
            wanting.push(format!("{}: no comment", constant.name));
        }
    }
    assert!(wanting.is_empty(), "{}", wanting.join("\n"));
}

#[test]
fn no_comment_is_written_for_rust() {
    let text = header::awsgi_h();
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // What only rustdoc understands.
        for sign in [
            "# Safety",
            "# Errors",
            "# Panics",
            "# Examples",
            "[`",
            "`]",
            "Option<",
            "Self::",
            "```",
        ] {
            if line.contains(sign) {
                wrong.push(format!("include/awsgi.h:{}: {sign}: {line}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const LINES: [&str; 3] = ["Returns:", "Ownership:", "Threads:"];
const THREADS: [&str; 3] = ["any", "owner", "exchange"];

fn names_threads(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    THREADS.contains(&word)
}
