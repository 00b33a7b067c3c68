//! What keeps the command from starting: one sentence that says what to do, and the exit status 1.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::apps::{app, from_text};
use crate::common::{c, header};
use crate::process::Process;
use crate::server::{demo, serve};

/// Runs it to its end, and answers the sentence.
fn sentence(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let mut process = Process::start(command.stdin(Stdio::null()));
    let status = process.wait();
    let said = process.stderr.text();
    assert_eq!(status.code(), Some(1), "{shown}: {said}");
    assert_eq!(said.lines().count(), 1, "{shown}: {said}");
    assert!(said.ends_with('\n') && said.starts_with("awsgi: "), "{shown}: {said}");
    assert_eq!(process.stdout.text(), "", "{shown}");
    said
}

/// The sentence of `serve`, which is that of `check` too.
fn of(application: &Path) -> String {
    let check = sentence(c::server().arg("check").arg(application));
    let serve = sentence(&mut serve(application, &[]));
    assert_eq!(check, serve);
    serve
}

fn bind(address: &str) -> Command {
    let mut command = c::server();
    command.args(["serve", "--bind", address]).arg(app("environ"));
    command
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = sentence(&mut bind(&address));
    assert!(said.contains(&address) && said.contains("another"), "{said}");
}

#[test]
fn an_address_that_is_malformed() {
    for address in ["", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "::1:80", "unix:"] {
        let said = sentence(&mut bind(address));
        assert!(said.contains("write"), "{address:?}: {said}");
    }
}

#[test]
fn an_address_that_is_not_of_this_machine() {
    let said = sentence(&mut bind("192.0.2.1:8080"));
    assert!(said.contains("192.0.2.1:8080"), "{said}");
}

#[test]
fn a_file_that_is_not_there() {
    let missing = c::scratch().join("missing.so");
    let said = of(&missing);
    assert!(said.contains("missing.so") && said.contains("./app.so"), "{said}");
}

#[test]
fn a_file_that_is_no_shared_library() {
    let text = c::scratch().join("text.so");
    std::fs::write(&text, "This is no shared library.\n").unwrap();
    let said = of(&text);
    assert!(said.contains("text.so") && said.contains("-shared -fPIC"), "{said}");
    // Nor are these.
    let empty = c::scratch().join("empty.so");
    std::fs::write(&empty, "").unwrap();
    of(&empty);
    of(&c::scratch());
}

#[test]
fn a_library_without_the_symbol() {
    let said = of(&from_text("no_symbol", "int nothing_of_ours;\n"));
    assert!(said.contains("awsgi_application_main"), "{said}");
}

#[test]
fn an_application_for_another_abi() {
    // The header says its number unconditionally, so a copy of it says another.
    let directory = c::scratch().join("other_abi");
    std::fs::create_dir_all(&directory).unwrap();
    let ours = header::awsgi_h();
    let line = ours.lines().find(|line| line.starts_with("#define AWSGI_ABI_VERSION ")).unwrap();
    let other = ours.replace(line, "#define AWSGI_ABI_VERSION 77");
    std::fs::write(directory.join("awsgi.h"), other).unwrap();
    let application_h = header::read("include/awsgi_application.h");
    std::fs::write(directory.join("awsgi_application.h"), application_h).unwrap();
    let source = directory.join("other_abi.c");
    std::fs::write(&source, header::read("tests/c/apps/environ.c")).unwrap();
    let said = of(&c::Compiler::c().shared("other_abi.so", &[source]));
    assert!(said.contains("another libawsgi") && said.contains("build it again"), "{said}");
}

/// An application whose entry point has this in the middle.
fn with_entry(name: &str, entry: &str) -> std::path::PathBuf {
    let text = format!(
        "#define AWSGI_APPLICATION\n#include \"awsgi_application.h\"\n\
         static int32_t run(void *w, awsgi_exchange x, void **s, const awsgi_completion *d, size_t n)\n\
         {{ (void)w, (void)x, (void)s, (void)d, (void)n; return AWSGI_DONE; }}\n\
         static int32_t load(void *app, const char *config)\n\
         {{ (void)app; return config[0] == 'g' ? AWSGI_OK : AWSGI_E_LIMIT; }}\n\
         static int32_t worker(void *app, awsgi_reactor *r, void **w)\n\
         {{ (void)app, (void)r, (void)w; return AWSGI_E_LIMIT; }}\n\
         int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)\n\
         {{ (void)load, (void)worker, (void)run; AWSGI_APPLICATION_INIT(api); {entry} }}\n"
    );
    from_text(name, &text)
}

#[test]
fn an_entry_point_that_refuses() {
    let said = of(&with_entry("entry_refuses", "(void)out; return AWSGI_E_OS;"));
    assert!(said.contains("awsgi_application_main answered"), "{said}");
}

#[test]
fn an_application_without_run_or_with_a_style_that_does_not_exist() {
    let said = of(&with_entry("no_run", "out->name = \"x\"; return AWSGI_OK;"));
    assert!(said.contains("application->run"), "{said}");
    let said = of(&with_entry("style", "out->run = run; out->style = 99; return AWSGI_OK;"));
    assert!(said.contains("AWSGI_STEPS"), "{said}");
    let said =
        of(&with_entry("straight", "out->run = run; out->style = AWSGI_STRAIGHT; return 0;"));
    assert!(said.contains("AWSGI_STRAIGHT"), "{said}");
}

#[test]
fn a_load_that_refuses_its_arguments() {
    let application = with_entry("load_refuses", "out->run = run; out->load = load; return 0;");
    let said = of(&application);
    assert!(said.contains("load_refuses.so") && said.contains("AWSGI_E_LIMIT"), "{said}");
    let mut check = c::server();
    let out = c::succeed(check.arg("check").arg(&application).args(["--", "good"]));
    assert!(out.contains("load_refuses") || out.contains("application"), "{out}");
}

#[test]
fn a_worker_that_refuses_to_serve() {
    let entry = "out->run = run; out->worker = worker; return 0;";
    let application = with_entry("worker_refuses", entry);
    let said = sentence(&mut serve(&application, &[]));
    assert!(said.contains("AWSGI_E_LIMIT"), "{said}");
}

#[test]
fn arguments_that_the_demo_does_not_understand() {
    let mut command = serve(&demo(), &["--", "nonsense"]);
    let mut process = Process::start(command.stdin(Stdio::null()));
    assert_eq!(process.wait().code(), Some(1));
    let said = process.stderr.text();
    // The application says what, the command that it did not start.
    assert!(said.contains("demo: `nonsense` is not an upstream"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn a_mount_that_cannot_be() {
    let application = app("environ");
    let mount = |prefix: &str| format!("{prefix}={}", application.display());
    let (one, slash, missing) = (mount("/one"), mount("/one/"), "/one=./missing.so".to_owned());
    for mounts in [&[&one, &one][..], &[&slash], &[&missing]] {
        let options: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount]).collect();
        sentence(&mut serve(&application, &options));
    }
}

#[test]
fn a_limit_that_serves_nobody() {
    for limit in [
        ["--max-exchanges", "0"],
        ["--max-headers", "0"],
        ["--idle-timeout", "0"],
        ["--max-header-bytes", "1"],
    ] {
        sentence(&mut serve(&app("environ"), &limit));
    }
}

#[test]
fn a_descriptor_that_does_not_listen() {
    let mut command = c::server();
    command.args(["serve", "--fd", "0"]).arg(app("environ"));
    let said = sentence(&mut command);
    assert!(said.contains("listens"), "{said}");
    let mut command = c::server();
    command.args(["serve", "--fd", "123"]).arg(app("environ"));
    let said = sentence(&mut command);
    assert!(said.contains("123"), "{said}");
}

#[test]
fn options_that_do_not_exist_are_a_usage_error() {
    for arguments in [
        &["serve"][..],
        &["serve", "--bogus", "x"],
        &["dance"],
        &[],
        &["serve", "--max-body", "lots", "x"],
        &["serve", "--fd", "0", "--bind", "a:1", "x"],
    ] {
        let mut process = Process::start(c::server().args(arguments).stdin(Stdio::null()));
        assert_eq!(process.wait().code(), Some(2), "{arguments:?}");
        assert!(!process.stderr.text().is_empty(), "{arguments:?}");
    }
}
