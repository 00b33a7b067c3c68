//! The small applications of tests/c/apps, each compiled once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::common::{c, header};

/// tests/c/apps/NAME.c as a shared library.
pub fn app(name: &'static str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<&str, PathBuf>>> = Mutex::new(None);
    // Held while it compiles: two tests must not write the same file.
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let built = built.get_or_insert_default();
    let build = || {
        let source = header::root().join(format!("tests/c/apps/{name}.c"));
        c::Compiler::c().shared(&format!("{name}.so"), &[source])
    };
    built.entry(name).or_insert_with(build).clone()
}

/// Text as a shared library; `name` is the file's, and nobody else's.
pub fn from_text(name: &str, text: &str) -> PathBuf {
    let source = c::scratch().join(format!("{name}.c"));
    std::fs::write(&source, text).unwrap();
    c::Compiler::c().shared(&format!("{name}.so"), &[source])
}
