//! The headers as C and C++ compilers see them: without a warning in any standard, and with the
//! layouts and values that the library was built with.

mod common;

use awsgi::ffi;
use common::c::{self, Compiler};
use common::header;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::{offset_of, size_of};

#[test]
fn the_headers_compile_without_warnings_as_every_c() {
    for compiler in compilers(&[Compiler::c(), Compiler::named("clang")]) {
        for standard in ["c99", "c11", "c17", "c2x"] {
            check_headers(&compiler, "c", standard);
        }
    }
}

#[test]
fn the_headers_compile_without_warnings_as_every_cxx() {
    for compiler in compilers(&[Compiler::cxx(), Compiler::named("clang++")]) {
        for standard in ["c++11", "c++17", "c++20"] {
            check_headers(&compiler, "c++", standard);
        }
    }
}

#[test]
fn layouts_are_the_same_in_c_and_in_rust() {
    let mut ours = BTreeMap::new();
    layouts(&mut ours);
    let mut declared: Vec<_> =
        header::structs(&header::awsgi_h()).into_iter().map(|item| item.name).collect();
    declared.retain(|name| !ours.contains_key(&format!("sizeof {name}")));
    assert_eq!(declared, [""; 0], "structs of the header that tests/c_header.rs does not compare");

    let mut program = String::new();
    for item in header::structs(&header::awsgi_h()) {
        let name = &item.name;
        writeln!(program, "SHOW(\"sizeof {name}\", sizeof({name}));").unwrap();
        for field in item.fields {
            let field = field.name;
            writeln!(program, "SHOW(\"{name}.{field}\", offsetof({name}, {field}));").unwrap();
        }
    }
    assert_eq!(run(&program, "layouts"), ours);
}

#[test]
fn constants_have_the_same_values_in_c_and_in_rust() {
    let mut ours = BTreeMap::new();
    constants(&mut ours);
    let mut program = String::new();
    for constant in header::constants(&header::awsgi_h()) {
        let name = constant.name;
        writeln!(program, "SHOW(\"{name}\", {name});").unwrap();
    }
    let mut theirs = run(&program, "constants");
    // Those of the header alone; `the_version_of_the_header_is_that_of_the_library` has them.
    theirs.retain(|name, _| !name.starts_with("AWSGI_VERSION_"));
    assert_eq!(theirs, ours);
}

#[test]
fn a_completion_has_32_bytes_for_ever() {
    assert_eq!(size_of::<ffi::awsgi_completion>(), 32);
}

/// Those that are installed; the first of them has to be.
fn compilers(wanted: &[Compiler]) -> Vec<Compiler> {
    assert!(wanted[0].exists(), "{:?} is not installed", wanted[0]);
    wanted.iter().filter(|compiler| compiler.exists()).cloned().collect()
}

fn check_headers(compiler: &Compiler, language: &str, standard: &str) {
    for file in ["awsgi.c", "awsgi_application.c", "use.c"] {
        let mut command = compiler.command();
        command.args(c::STRICT).args([
            &format!("-std={standard}"),
            "-fsyntax-only",
            "-x",
            language,
        ]);
        c::succeed(command.arg(header::root().join("tests/c/header").join(file)));
    }
}

/// Runs a program that prints names and numbers.
fn run(lines: &str, name: &str) -> BTreeMap<String, i128> {
    let source = c::scratch().join(format!("{name}.c"));
    let text = format!(
        "#include \"awsgi.h\"\n#include <stdio.h>\n\
         #define SHOW(name, value) \\\n\
         \x20   printf((value) < 0 ? \"%s=-%llu\\n\" : \"%s=%llu\\n\", name, \\\n\
         \x20          (value) < 0 ? 0ull - (unsigned long long)(value) : (unsigned long long)(value))\n\
         int main(void) {{\n{lines}return 0; }}\n"
    );
    std::fs::write(&source, text).unwrap();
    let program = c::scratch().join(name);
    // "value < 0" is never true of what has no sign.
    let mut command = Compiler::c().command();
    command.args(["-std=c11", "-Wall", "-Wno-type-limits"]).arg(&source).arg("-o").arg(&program);
    c::succeed(&mut command);
    c::run(&program, &[])
        .lines()
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

macro_rules! layout {
    ($into:ident, $($name:ident { $($field:ident),* $(,)? })*) => {$(
        $into.insert(concat!("sizeof ", stringify!($name)).to_owned(), size_of::<ffi::$name>() as i128);
        $($into.insert(
            concat!(stringify!($name), ".", stringify!($field)).to_owned(),
            offset_of!(ffi::$name, $field) as i128,
        );)*
    )*};
}

macro_rules! values {
    ($into:ident, $($name:ident)*) => {$(
        $into.insert(stringify!($name).to_owned(), ffi::$name as i128);
    )*};
}

/// Every struct of the header with every field.
fn layouts(ours: &mut BTreeMap<String, i128>) {
    layout! { ours,
        awsgi_slice { data, len }
        awsgi_completion { user_data, wait, outcome, flags, members, ready, index, error }
        awsgi_reactor_options { size, mode, wake, spawn }
        awsgi_api { size, awsgi_status_name, awsgi_reactor_fd }
    }
}

/// Every constant of the header.
fn constants(ours: &mut BTreeMap<String, i128>) {
    values! { ours,
        AWSGI_ABI_VERSION AWSGI_FOREVER AWSGI_OK AWSGI_E_NULL
        AWSGI_READABLE AWSGI_HEAD
    }
}
