//! What a program that was compiled yesterday relies on: only another number of the ABI changes it.
//!
//! The descriptions are in `tests/abi`. `abidw` makes one of a library in C that has every function of the header
//! and nothing in it; that the real one has the same functions and layouts is compared by `symbols`, `header` and
//! `c_header`. After an addition, or with a new number in build.rs,
//!
//!     AWSGI_BLESS=1 cargo test --all-features --test abi
//!
//! writes them anew. It never does so for what breaks the ABI of a number. docs/abi.md has the rules.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod common;

use common::{c, header};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn only_another_number_breaks_the_abi() {
    let text = header::awsgi_h();
    let (described, current) = (description(&text, "abi"), describe(&text));
    if !described.exists() {
        return bless(&described, &current, "there is no description of this ABI number");
    }
    let broken = breaks(&described, &text);
    assert!(
        broken.is_empty(),
        "programs that were compiled before no longer work; undo it, or give the ABI another number in build.rs and \
         src/ffi/application.rs (docs/abi.md):\n{broken}"
    );
    let added = compare(&described, &current, &[]);
    if !added.is_empty() {
        bless(&described, &current, &format!("something was added to the ABI:\n{added}"));
    }
}

#[test]
fn only_another_number_changes_a_constant() {
    let text = header::awsgi_h();
    let (described, current) = (description(&text, "constants"), c::scratch().join("constants"));
    let values = constants(&text);
    let mut lines = String::new();
    for (name, value) in &values {
        writeln!(lines, "{name} {value}").unwrap();
    }
    std::fs::write(&current, &lines).unwrap();
    let before = std::fs::read_to_string(&described).unwrap_or_default();
    for line in before.lines() {
        let (name, value) = line.split_once(' ').unwrap();
        assert_eq!(
            values.get(name).map(String::as_str),
            Some(value),
            "{name} is compiled into programs: undo it, or give the ABI another number (docs/abi.md)"
        );
    }
    if before != lines {
        bless(&described, &current, "there are new constants");
    }
}

/// The comparison can fail, and lets pass what the rules allow.
#[test]
fn what_breaks_programs_is_told_from_what_does_not() {
    let text = header::awsgi_h();
    let before = describe(&text);
    let with = |old: &str, new: &str| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} is not once in the header");
        text.replace(old, new)
    };
    let cancel = "awsgi_status awsgi_wait_cancel(awsgi_wait wait);";
    let forget = "awsgi_status awsgi_wait_forget(awsgi_wait wait);";
    let breaking = [
        (
            "a parameter of another type",
            with(cancel, "awsgi_status awsgi_wait_cancel(int32_t wait);"),
        ),
        (
            "one more parameter",
            with(cancel, "awsgi_status awsgi_wait_cancel(awsgi_wait wait, int how);"),
        ),
        ("a result of another type", with(cancel, "uint64_t awsgi_wait_cancel(awsgi_wait wait);")),
        ("a function that is gone", with(&format!("AWSGI_API {forget}"), "")),
        (
            "a field in the middle",
            with("    uint64_t now;\n", "    uint64_t now;\n    uint64_t then;\n"),
        ),
        ("a field of another type", with("    uint32_t at_least;\n", "    uint64_t at_least;\n")),
        ("a field that is gone", with("    uint32_t reserved_out;\n", "")),
        (
            "a field of another type, in a structure that grows",
            with("    uint64_t now;\n", "    double now;\n")
                .replace("} awsgi_turn;", "    uint64_t more;\n} awsgi_turn;"),
        ),
        (
            "an element of arrays that grows",
            with("} awsgi_member;", "    uint64_t more;\n} awsgi_member;"),
        ),
        (
            "a completion that grows",
            with("} awsgi_completion;", "    uint64_t more;\n} awsgi_completion;"),
        ),
    ];
    for (what, changed) in breaking {
        assert!(!breaks(&before, &changed).is_empty(), "{what} was not found");
    }
    let allowed = [
        (
            "a function",
            with(forget, &format!("{forget}\nAWSGI_API awsgi_status awsgi_more(int a);")),
        ),
        ("a field", with("} awsgi_turn;", "    uint64_t more;\n} awsgi_turn;")),
        ("a function of the table", with("} awsgi_api;", "    int (*more)(int a);\n} awsgi_api;")),
    ];
    for (what, changed) in allowed {
        assert_eq!(breaks(&before, &changed), "", "{what} at the end breaks nothing");
        let after = describe(&changed);
        assert_ne!(compare(&before, &after, &[]), "", "{what} was not seen");
    }
}

/// Where the committed description of the header's ABI number is.
fn description(text: &str, kind: &str) -> PathBuf {
    let number = constants(text).remove("AWSGI_ABI_VERSION").expect("the number of the ABI");
    header::root().join(format!("tests/abi/libawsgi.so.{number}.{kind}"))
}

/// Writes a description if that was asked for. Those of other numbers go.
fn bless(described: &Path, current: &Path, why: &str) {
    assert!(
        std::env::var_os("AWSGI_BLESS").is_some_and(|value| value == "1"),
        "{why}\n{} has to say so: AWSGI_BLESS=1 cargo test --all-features --test abi",
        described.display()
    );
    for entry in std::fs::read_dir(described.parent().unwrap()).unwrap() {
        let other = entry.unwrap().path();
        if other.extension() == described.extension() {
            std::fs::remove_file(other).unwrap();
        }
    }
    std::fs::copy(current, described).unwrap();
}

/// What abidw says of a library with the functions of a header.
fn describe(text: &str) -> PathBuf {
    // The tests run at the same time.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let folder = c::scratch().join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("awsgi.h"), text).unwrap();
    let mut source = "#include \"awsgi.h\"\n".to_owned();
    for function in header::functions(text) {
        writeln!(source, "{} {{ __builtin_trap(); }}", function.prototype).unwrap();
    }
    std::fs::write(folder.join("functions.c"), source).unwrap();
    let library = folder.join("libawsgi.so");
    let mut compiler = Command::new("cc");
    // The description has the name of the file as the compiler was told it.
    compiler.current_dir(&folder);
    compiler.args(["-std=c11", "-g", "-shared", "-fPIC", "-w", "-Wl,-soname,libawsgi.so"]);
    c::succeed(compiler.arg("functions.c").arg("-o").arg(&library));
    let mut abidw = tool("abidw");
    abidw.args(["--no-comp-dir-path", "--no-corpus-path", "--no-show-locs", "--no-architecture"]);
    let described = folder.join("described");
    c::succeed(abidw.arg("--out-file").arg(&described).arg(&library));
    described
}

/// What a header breaks of what was described. Functions may be added, and structures that begin with their size may
/// grow at their end: without what was added, everything is as it was.
fn breaks(described: &Path, text: &str) -> String {
    let before = std::fs::read_to_string(described).unwrap();
    let mut without = text.to_owned();
    for item in header::structs(text) {
        let name = &item.name;
        let known = fields_of(&before, name);
        let grows = item.fields.first().is_some_and(|field| field.declaration == "size_t size");
        if grows && known > 0 && item.fields.len() > known {
            let start = text.find(&format!("typedef struct {name} {{")).unwrap();
            let end = start + text[start..].find(&format!("}} {name};")).unwrap();
            let fields: String = item.fields[..known]
                .iter()
                .map(|field| format!("    {};\n", field.declaration))
                .collect();
            let body = format!("typedef struct {name} {{\n{fields}");
            without = without.replace(&text[start..end], &body);
        }
    }
    compare(described, &describe(&without), &["--no-added-syms"])
}

/// How many fields a structure has in a description; 0 if it is not there.
fn fields_of(described: &str, name: &str) -> usize {
    let Some(start) = described.find(&format!("<class-decl name='{name}' ")) else { return 0 };
    let rest = &described[start..];
    rest[..rest.find("</class-decl>").unwrap_or(0)].matches("<data-member ").count()
}

/// What abidiff says of two descriptions; empty if they are the same.
fn compare(before: &Path, after: &Path, options: &[&str]) -> String {
    let output = tool("abidiff").args(options).arg(before).arg(after).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => String::new(),
        // A change of the ABI (4), which may be incompatible (8).
        Some(code) if code & 4 != 0 && code & 3 == 0 => said,
        _ => panic!("abidiff failed: {said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    // A machine without it could not tell.
    let there = command.arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(there, "{name} is not installed (Debian: abigail-tools); run: make deps");
    Command::new(name)
}

/// The constants that programs compile in. Of versions, only the number of the ABI.
fn constants(text: &str) -> BTreeMap<String, String> {
    header::constants(text)
        .into_iter()
        .filter(|constant| !constant.name.starts_with("AWSGI_VERSION_"))
        .filter(|constant| constant.name != "AWSGI_API" && constant.name != "AWSGI_EXPORT")
        .map(|constant| (constant.name, constant.value))
        .collect()
}
