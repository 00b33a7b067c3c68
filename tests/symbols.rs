//! What the shared library exports is what the header declares, and what a JVM calls.
#![cfg(feature = "ffi")]

mod common;

use common::{c, elf, header};

/// What a JVM calls.
const JVM: &[&str] = if cfg!(feature = "jni") { &["JNI_OnLoad", "JNI_OnUnload"] } else { &[] };

#[test]
fn the_exported_symbols_are_the_functions_of_the_header_and_what_a_jvm_calls() {
    let mut declared: Vec<String> =
        header::functions(&header::awsgi_h()).into_iter().map(|function| function.name).collect();
    assert!(!declared.is_empty(), "include/awsgi.h declares nothing");
    declared.extend(JVM.iter().map(|name| (*name).to_owned()));
    let exported = elf::exported(&c::library());
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|name| !those.contains(name)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(only(&exported, &declared), [""; 0], "exported, but not in the header");
    assert_eq!(only(&declared, &exported), [""; 0], "in the header, but not exported");
}

#[test]
fn the_soname_holds_the_number_of_the_abi() {
    let constants = header::constants(&header::awsgi_h());
    let abi = constants.iter().find(|constant| constant.name == "AWSGI_ABI_VERSION");
    let abi = &abi.expect("AWSGI_ABI_VERSION in the header").value;
    assert_eq!(elf::soname(&c::library()), Some(format!("libawsgi.so.{abi}")));
}

#[test]
fn packages_have_the_version_of_the_library_and_the_number_of_the_abi() {
    let constants = header::constants(&header::awsgi_h());
    let abi =
        &constants.iter().find(|constant| constant.name == "AWSGI_ABI_VERSION").unwrap().value;
    let version = env!("CARGO_PKG_VERSION");
    let (_, minor) = version.split_once('.').unwrap();
    let manifest = header::read("Cargo.toml");
    let capi = manifest.split_once("[package.metadata.capi.library]").unwrap().1;
    assert!(capi.starts_with(&format!("\nversion = \"{abi}.{minor}\"\n")), "{capi}");
    let changes = header::read("debian/changelog");
    assert!(changes.starts_with(&format!("libawsgi ({version}) ")), "{changes}");
    let control = header::read("debian/control");
    assert!(control.contains(&format!("\nPackage: libawsgi{abi}\n")), "{control}");
    let files = header::read(&format!("debian/libawsgi{abi}.install"));
    assert_eq!(files, "usr/lib/*/libawsgi.so.*\n");
}
