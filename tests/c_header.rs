//! The headers as C and C++ compilers see them: without a warning in any standard, and with the
//! layouts and values that the library was built with.
#![cfg(feature = "ffi")]

mod common;

use awsgi::ffi;
use common::c::{self, Compiler};
use common::header;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::{align_of, offset_of, size_of};

#[test]
fn the_headers_compile_without_warnings_as_every_c() {
    for compiler in compilers(&[Compiler::c(), Compiler::named("clang")]) {
        for standard in ["c99", "c11", "c17", "c2x"] {
            check_headers(compiler, "c", standard);
        }
    }
}

#[test]
fn the_headers_compile_without_warnings_as_every_cxx() {
    for compiler in compilers(&[Compiler::cxx(), Compiler::named("clang++")]) {
        for standard in ["c++11", "c++17", "c++20"] {
            check_headers(compiler, "c++", standard);
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
        writeln!(program, "SHOW(\"alignof {name}\", _Alignof({name}));").unwrap();
        for field in item.fields {
            let field = field.name;
            writeln!(program, "SHOW(\"{name}.{field}\", offsetof({name}, {field}));").unwrap();
            writeln!(program, "SHOW(\"sizeof {name}.{field}\", sizeof(({name} *)0)->{field});")
                .unwrap();
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
    // Those that only the header has; tests/c/version.c compares them with awsgi_version.
    theirs.retain(|name, _| !name.starts_with("AWSGI_VERSION_") && name != "AWSGI_ABI_VERSION");
    assert_eq!(theirs, ours);
}

#[test]
fn a_completion_has_32_bytes_for_ever() {
    assert_eq!(size_of::<ffi::awsgi_completion>(), 32);
}

/// Those, which have to be installed.
fn compilers(wanted: &[Compiler]) -> &[Compiler] {
    for compiler in wanted {
        assert!(compiler.exists(), "{compiler:?} is not installed; run: make deps");
    }
    wanted
}

/// What programs are compiled with that ask for more than `STRICT`.
const MORE: [&str; 7] = [
    "-Wshadow",
    "-Wconversion",
    "-Wundef",
    "-Wcast-qual",
    "-Wcast-align",
    "-Wredundant-decls",
    "-Wwrite-strings",
];

fn check_headers(compiler: &Compiler, language: &str, standard: &str) {
    for file in ["awsgi.c", "awsgi_application.c", "use.c"] {
        let mut command = compiler.command();
        command.args(c::STRICT).args(MORE).args([
            &format!("-std={standard}"),
            "-fsyntax-only",
            "-x",
            language,
        ]);
        if language == "c++" {
            command.arg("-Wold-style-cast");
        }
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
        $into.insert(concat!("alignof ", stringify!($name)).to_owned(), align_of::<ffi::$name>() as i128);
        $($into.insert(
            concat!(stringify!($name), ".", stringify!($field)).to_owned(),
            offset_of!(ffi::$name, $field) as i128,
        );
        $into.insert(
            concat!("sizeof ", stringify!($name), ".", stringify!($field)).to_owned(),
            size_of_field(|whole: &ffi::$name| &whole.$field) as i128,
        );)*
    )*};
}

macro_rules! values {
    ($into:ident, $($name:ident)*) => {$(
        $into.insert(stringify!($name).to_owned(), ffi::$name as i128);
    )*};
}

/// The size of what it answers.
fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Every struct of the header with every field.
fn layouts(ours: &mut BTreeMap<String, i128>) {
    layout! { ours,
        awsgi_slice { data, len }
        awsgi_header { name, value }
        awsgi_completion { user_data, wait, outcome, flags, members, ready, index, error }
        awsgi_member { waitable, index, ready }
        awsgi_reactor_options { size, mode, flags, max_waitables, max_waits, wake, spawn, log, data }
        awsgi_watch_change { waitable, handle, interest, kind }
        awsgi_turn { size, deadline, now, budget, reserved, done, done_cap, changes, changes_cap, done_n, changes_n, next_deadline, flags, reserved_out }
        awsgi_notice { waitable, ready, pad }
        awsgi_stats { size, turns, events, completions, stale, spurious, ghosts, rebuilds, changes, signals, waits, waitables }
        awsgi_watch { waitable, interest, pad }
        awsgi_wait_spec { size, set, count, at_least, flags, deadline, user_data }
        awsgi_application { size, abi, style, name, load, worker, run, close, worker_end, unload, app }
        awsgi_api { size, abi, reserved, awsgi_status_name, awsgi_last_error, awsgi_version, awsgi_completion_members, awsgi_reactor_now, awsgi_waitable_descriptor, awsgi_waitable_event, awsgi_waitable_timer, awsgi_waitable_take, awsgi_waitable_label, awsgi_waitable_close, awsgi_notify, awsgi_notify_many, awsgi_wait_cancel, awsgi_wait_forget, awsgi_wait_rearm, awsgi_exchange_wait, awsgi_exchange_await, awsgi_exchange_environ, awsgi_exchange_environ_each, awsgi_exchange_self, awsgi_exchange_reactor, awsgi_exchange_now, awsgi_exchange_read, awsgi_exchange_start, awsgi_exchange_write, awsgi_waitable_describe }
        awsgi_gateway_options { size, max_exchanges, max_waits_per_exchange, input_buffer, output_buffer, pool_threads, multithread, script_name }
        awsgi_request { size, method, target, protocol, scheme, remote_addr, server_name, remote_port, server_port, body, headers, header_count, content_length, user_data }
        awsgi_head { size, status, bodiless, headers, header_count, length }
        awsgi_mount { prefix, application }
        awsgi_server_options { size, bind, fd, flags, workers, max_headers, max_header_bytes, max_body, header_time, idle_time, queue_time, max_exchanges, max_queued, pool_threads, mount_count, mounts, access_log, log, data }
    }
}

/// Every constant of the header.
fn constants(ours: &mut BTreeMap<String, i128>) {
    values! { ours,
        AWSGI_OK AWSGI_E_NULL AWSGI_E_INVALID AWSGI_E_STALE AWSGI_E_THREAD AWSGI_E_FORKED
        AWSGI_E_STATE AWSGI_E_BUSY AWSGI_E_REENTRANT AWSGI_E_LIMIT AWSGI_E_OS AWSGI_E_UNSUPPORTED
        AWSGI_E_NESTING AWSGI_E_CLOSED AWSGI_E_PANIC AWSGI_E_AGAIN AWSGI_FOREVER AWSGI_NOW
        AWSGI_READABLE AWSGI_WRITABLE AWSGI_PRIORITY AWSGI_READ_CLOSED AWSGI_HANGUP AWSGI_ERROR
        AWSGI_READY AWSGI_TIMED_OUT AWSGI_CANCELLED AWSGI_CLOSED AWSGI_FAILED AWSGI_MORE
        AWSGI_OWNED AWSGI_NESTED AWSGI_DELEGATED AWSGI_HOST_HONOURS_DEADLINE
        AWSGI_HOST_TURNS_BEFORE_SLEEP AWSGI_HOST_WATCHES_DESCRIPTORS AWSGI_HOST_GIVES_CLOCK
        AWSGI_LOG_ERROR AWSGI_LOG_WARN AWSGI_LOG_INFO AWSGI_LOG_DEBUG AWSGI_TURN_MORE
        AWSGI_TURN_STOPPED AWSGI_TURN_CLOSED AWSGI_OWN AWSGI_LEVEL AWSGI_ONCE AWSGI_MULTISHOT
        AWSGI_OFF_LOOP AWSGI_DONE AWSGI_SUSPEND AWSGI_YIELD AWSGI_STEPS AWSGI_STRAIGHT
        AWSGI_BLOCKING AWSGI_HEAD AWSGI_BODY AWSGI_ROOM AWSGI_END AWSGI_ABORT AWSGI_SERVER_FD
        AWSGI_UNLIMITED AWSGI_COUNTER AWSGI_WATCH_DESCRIPTOR
    }
}
