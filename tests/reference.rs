//! The reference, the man pages, and the programs that they show.
#![cfg(feature = "cli")]

mod common;

use common::c::{self, Compiler};
use common::header;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

const EXAMPLES: &str = "c-examples/reference";

#[test]
fn every_function_has_an_example_that_calls_it() {
    let mut shown = BTreeMap::new();
    for name in examples() {
        for (names, body) in named(&header::read(&format!("{EXAMPLES}/{name}"))) {
            for function in names {
                // The one that an application defines is not called in it.
                let called = body.contains(&format!("{function}("));
                assert!(called, "{EXAMPLES}/{name}: the example of {function} does not call it");
                let before = shown.insert(function.clone(), name.clone());
                assert_eq!(before, None, "{EXAMPLES} has two examples of {function}");
            }
        }
    }
    let functions: BTreeSet<String> = functions().into_iter().collect();
    let shown: BTreeSet<String> = shown.into_keys().collect();
    let wanting: Vec<_> = functions.difference(&shown).collect();
    assert!(wanting.is_empty(), "{EXAMPLES} has no example of {wanting:?}");
    let unknown: Vec<_> = shown.difference(&functions).collect();
    assert!(unknown.is_empty(), "{EXAMPLES} shows what the headers do not have: {unknown:?}");
}

#[test]
fn the_examples_of_the_reference_do_what_they_say() {
    let source = |name: &str| header::root().join(EXAMPLES).join(name);
    let application = Compiler::c().shared("application.so", &[source("application.c")]);
    for name in examples() {
        let Some(stem) = name.strip_suffix(".c").filter(|stem| *stem != "application") else {
            continue;
        };
        let program = Compiler::c().program(stem, &[source(&name)]);
        let arguments = if stem == "server" { &[application.as_os_str()][..] } else { &[] };
        c::run(&program, arguments);
    }
}

#[test]
fn the_reference_is_made_without_a_warning_and_says_everything_of_each_function() {
    let out = c::scratch().join("reference");
    // What an earlier run left there would be looked at, too.
    let _ = std::fs::remove_dir_all(&out);
    std::fs::create_dir_all(&out).unwrap();
    let config = out.join("Doxyfile");
    let text =
        format!("@INCLUDE = docs/reference/Doxyfile\nOUTPUT_DIRECTORY = {}\n", out.display());
    std::fs::write(&config, text).unwrap();
    let mut doxygen = tool("doxygen");
    c::succeed(doxygen.current_dir(header::root()).arg(&config));

    let mut pages = String::new();
    for entry in std::fs::read_dir(out.join("html")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() == Some(OsStr::new("html")) {
            pages += &std::fs::read_to_string(path).unwrap();
        }
    }
    for function in functions() {
        let (_, rest) = pages
            .split_once(&format!("</span>{function}()</h2>"))
            .unwrap_or_else(|| panic!("the reference does not have {function}"));
        let text = rest.split("<h2 class=\"memtitle\">").next().unwrap();
        for part in ["Returns</dt>", "Ownership</dt>", "Threads</dt>", "Example</dt>"] {
            assert!(text.contains(part), "the reference has no {part} of {function}");
        }
        for part in ["class=\"params\"", "class=\"fragment\""] {
            assert!(text.contains(part), "the reference has no {part} of {function}");
        }
    }
}

#[test]
fn the_man_pages_are_well_formed() {
    for page in man_pages() {
        c::succeed(tool("mandoc").args(["-Tlint", "-Wwarning"]).arg(page));
    }
}

#[test]
fn the_man_page_of_the_library_names_every_function() {
    let page = header::read("docs/man/libawsgi.3");
    let listed: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix(".It Fn ")).map(str::to_owned).collect();
    let mut declared: Vec<_> =
        header::functions(&header::awsgi_h()).into_iter().map(|function| function.name).collect();
    let mut sorted = listed.clone();
    sorted.sort();
    declared.sort();
    assert_eq!(sorted, declared);
}

#[test]
fn the_program_in_the_man_page_runs() {
    let page = header::read("docs/man/libawsgi.3");
    let (_, rest) = page.split_once(".Bd -literal -offset indent\n").unwrap();
    let (program, _) = rest.split_once(".Ed\n").unwrap();
    let source = c::scratch().join("man.c");
    std::fs::write(&source, program).unwrap();
    c::run(&Compiler::c().program("man", &[source]), &[]);
}

#[test]
fn the_man_pages_of_the_commands_have_their_options_and_defaults() {
    let awsgi = env!("CARGO_BIN_EXE_awsgi");
    let contract = env!("CARGO_BIN_EXE_awsgi-contract");
    for (page, helps) in [
        (
            "awsgi.1",
            [&[awsgi, "--help"][..], &[awsgi, "serve", "--help"], &[awsgi, "check", "--help"]]
                .as_slice(),
        ),
        ("awsgi-contract.1", &[&[contract, "--help"]]),
    ] {
        let page = header::read(&format!("docs/man/{page}"));
        let mut documented = BTreeMap::new();
        for item in page.split("\n.It ").skip(1) {
            let Some((_, rest)) = item.split_once("Fl \\-") else { continue };
            let option = rest.split([' ', '\n']).next().unwrap();
            documented.insert(format!("--{}", option.replace("\\-", "-")), item.to_owned());
        }
        let mut offered = BTreeSet::new();
        for help in helps {
            let text = c::succeed(Command::new(help[0]).args(&help[1..]));
            for line in text.lines().map(str::trim_start).filter(|line| line.starts_with('-')) {
                let option = line.split([' ', ',']).find(|word| word.starts_with("--")).unwrap();
                let item = documented
                    .get(option)
                    .unwrap_or_else(|| panic!("a man page lacks {option} of `{help:?}`"));
                offered.insert(option.to_owned());
                if let Some((_, rest)) = line.split_once("[default: ") {
                    let default = rest.split(']').next().unwrap();
                    let mut words =
                        item.split([' ', '\n', ',']).map(|word| word.trim_end_matches('.'));
                    assert!(
                        words.any(|word| word == default),
                        "a man page has another default of {option} than {default}"
                    );
                }
            }
        }
        let documented: BTreeSet<_> = documented.into_keys().collect();
        assert_eq!(documented, offered, "a man page has options that are not there");
    }
}

/// All that the two headers have for C: what they declare, and what they define.
fn functions() -> Vec<String> {
    let text = header::awsgi_h();
    let mut names: Vec<_> =
        header::functions(&text).into_iter().map(|function| function.name).collect();
    for line in text.lines().filter_map(|line| line.strip_prefix("static inline ")) {
        let name = line.split('(').next().unwrap().rsplit(' ').next().unwrap();
        names.push(name.to_owned());
    }
    assert!(names.len() > 50, "the header has {names:?}");
    names.push("awsgi_application_main".to_owned());
    names
}

/// The files with examples.
fn examples() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(header::root().join(EXAMPLES))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".c"))
        .collect();
    names.sort();
    names
}

/// The functions whose comments begin with names of ours and a colon: the names, and the text.
fn named(text: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for part in text.split("\n/* awsgi_").skip(1) {
        let (comment, rest) = part.split_once("*/\n").unwrap();
        let (names, _) = comment.split_once(": ").expect("a colon after the names");
        let names = format!("awsgi_{names}").split(", ").map(str::to_owned).collect();
        let body = rest.split("\n}\n").next().unwrap();
        found.push((names, body.to_owned()));
    }
    found
}

fn man_pages() -> Vec<PathBuf> {
    let pages: Vec<_> = std::fs::read_dir(header::root().join("docs/man"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!pages.is_empty());
    pages
}

/// A program that the reference is made with.
fn tool(name: &str) -> Command {
    let probe = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
    assert!(probe.status.success(), "{name} is missing; run: make deps");
    Command::new(name)
}
