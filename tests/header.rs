//! `include/awsgi.h` is what `src/ffi` says.
//!
//! `AWSGI_BLESS=1 cargo test --all-features --test header` writes it anew.

mod common;

use common::header;
use std::fmt::Write;

/// The files of `src/ffi` in the order of the header: what a section uses stands above it. A file
/// with something for C that is not named here comes last.
const SECTIONS: [&str; 10] = [
    "status",
    "token",
    "completion",
    "reactor",
    "waitable",
    "wait",
    "exchange",
    "application",
    "gateway",
    "server",
];

/// The text around the sections: conventions, versions, decorations, helpers.
const TEMPLATE: &str = "src/ffi/awsgi.h.in";

#[test]
fn the_header_is_what_the_sources_say() {
    let wanted = generate();
    let path = header::root().join("include/awsgi.h");
    if std::env::var_os("AWSGI_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == wanted,
        "include/awsgi.h differs from src/ffi; to write it anew:\n\
         AWSGI_BLESS=1 cargo test --all-features --test header\n\n{}",
        difference(&committed, &wanted)
    );
}

#[test]
fn the_version_of_the_header_is_that_of_the_library() {
    let constants = header::constants(&generate());
    let value = |name: &str| {
        let constant = constants.iter().find(|constant| constant.name == name);
        constant.unwrap_or_else(|| panic!("{name} is missing")).value.clone()
    };
    assert_eq!(value("AWSGI_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MAJOR"));
    assert_eq!(value("AWSGI_VERSION_MINOR"), env!("CARGO_PKG_VERSION_MINOR"));
    assert_eq!(value("AWSGI_VERSION_PATCH"), env!("CARGO_PKG_VERSION_PATCH"));
}

/// The whole header.
fn generate() -> String {
    let mut sections = String::new();
    for file in section_files() {
        if let Some(section) = section(&file) {
            sections.push('\n');
            sections.push_str(&section);
        }
    }
    header::read(TEMPLATE)
        .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
        .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
        .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"))
        .replace("@ABI@", &abi())
        .replace("@SECTIONS@\n", &format!("{sections}\n"))
}

/// The number of the ABI, as `build.rs` puts it into the soname.
fn abi() -> String {
    let script = header::read("build.rs");
    let number = script.lines().find_map(|line| line.strip_prefix("const ABI: u32 = "));
    number.expect("build.rs says which ABI it is").trim_end_matches(';').to_owned()
}

/// The files of `src/ffi`, those of `SECTIONS` first and in its order.
fn section_files() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(header::root().join("src/ffi"))
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str()?.strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    // It holds the sections; cbindgen would follow them from there.
    names.retain(|name| name != "mod");
    assert!(
        exported_functions(&header::read("src/ffi/mod.rs")).is_empty(),
        "move them to a section"
    );
    let place = |name: &String| SECTIONS.iter().position(|section| section == name);
    names.sort_by_key(|name| (place(name).unwrap_or(usize::MAX), name.clone()));
    names.iter().map(|name| format!("src/ffi/{name}.rs")).collect()
}

/// What one file of `src/ffi` gives to the header: its constants, types and functions under a
/// banner. `None` if it has nothing for C.
///
/// cbindgen is run for each file by itself, since it would otherwise put the constants of all files
/// first, then all types, then all functions.
fn section(file: &str) -> Option<String> {
    let source = header::read(file);
    let mut config =
        cbindgen::Config::from_file(header::root().join("cbindgen.toml")).expect("cbindgen.toml");
    let types = public_types(&source);
    let excluded = config.export.exclude.clone();
    config.export.include = types.iter().filter(|name| !excluded.contains(name)).cloned().collect();
    let names = config.export.include.clone();

    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(header::root().join(file))
        .generate()
        .unwrap_or_else(|error| panic!("{file} cannot be read: {error}"));
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let text = tidy(&text, &source);
    if text.is_empty() {
        return None;
    }

    // cbindgen leaves out in silence what it does not understand.
    for name in names.iter().chain(&exported_functions(&source)) {
        assert!(
            contains_word(&text, name),
            "{name} of {file} is not in what cbindgen made of it: see that it is pub, that it is \
             not made by a macro, and that C can express its types"
        );
    }

    let mut section = banner(&source, file);
    section.push_str(&with_initialisers(&text));
    Some(section)
}

/// The names of the types that the file offers to C.
fn public_types(source: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in source.lines() {
        let Some(rest) = line
            .strip_prefix("pub struct ")
            .or_else(|| line.strip_prefix("pub type "))
            .or_else(|| line.strip_prefix("pub union "))
        else {
            continue;
        };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        if name.starts_with("awsgi_") && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The names of the functions that the file exports.
fn exported_functions(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut exported = false;
    for line in source.lines() {
        exported |= line.contains("no_mangle");
        let Some((_, rest)) = line.split_once("fn ").filter(|_| exported) else { continue };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        found.push(name.to_owned());
        exported = false;
    }
    found
}

/// Makes of cbindgen's text what a person would have written: constants in parentheses where they
/// need them, types by their short names, short comments on one line, blank lines between
/// constants where the source has them.
fn tidy(text: &str, source: &str) -> String {
    let lines: Vec<String> = text.trim().lines().map(|line| tidy_line(line.trim_end())).collect();
    let lines = short_comments(&lines);
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let after_constant = at > 0 && lines[at - 1].starts_with("#define ");
        let next =
            lines[at + 1..].iter().find(|line| !line.starts_with("/**") && !line.starts_with(" *"));
        let next = next.and_then(|line| line.strip_prefix("#define ")?.split(' ').next());
        let joined = next.is_some_and(|name| !begins_a_group(source, name));
        if !(line.is_empty() && after_constant && joined) {
            writeln!(out, "{line}").unwrap();
        }
    }
    if out.trim().is_empty() { String::new() } else { out }
}

/// Whether a blank line stands above the comment of this constant.
fn begins_a_group(source: &str, constant: &str) -> bool {
    let declaration = format!("pub const {constant}:");
    let lines: Vec<_> = source.lines().collect();
    let at = lines.iter().position(|line| line.starts_with(&declaration)).unwrap_or(0);
    lines[..at]
        .iter()
        .rev()
        .find(|line| !line.starts_with("///"))
        .is_none_or(|line| line.is_empty())
}

fn tidy_line(line: &str) -> String {
    match line.strip_prefix("#define ").and_then(|rest| rest.split_once(' ')) {
        Some((name, value)) if value.starts_with('-') => {
            format!("#define {name} ({value})")
        }
        _ if line.starts_with("typedef struct ") => line.to_owned(),
        _ => line.replace("struct awsgi_", "awsgi_"),
    }
}

/// Writes comments of one line on one line.
fn short_comments(lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        match short_comment(&lines[at..]) {
            Some(comment) => {
                out.push(comment);
                at += 3;
            }
            None => {
                out.push(lines[at].clone());
                at += 1;
            }
        }
    }
    out
}

fn short_comment(lines: &[String]) -> Option<String> {
    let [open, middle, close, ..] = lines else { return None };
    let indent = open.strip_suffix("/**")?;
    let sentence = middle.trim_start().strip_prefix("* ")?;
    let short = close.trim_start() == "*/" && indent.len() + sentence.chars().count() <= 93;
    short.then(|| format!("{indent}/** {sentence} */"))
}

/// The line above a section: the first sentence of the file's own description.
fn banner(source: &str, file: &str) -> String {
    let line = source.lines().find_map(|line| line.strip_prefix("//!")).unwrap_or_else(|| {
        panic!("{file} does not begin with a //! line, which heads its section")
    });
    let title = line.trim().trim_end_matches('.');
    let rule = "-".repeat(93usize.saturating_sub(title.chars().count()));
    format!("/* ---- {title} {rule} */\n\n")
}

/// Adds, after each struct that begins with its size, its `_INIT` macro. It names every field by
/// its position, because C++17 has no designated initialisers and -Wextra wants all fields.
fn with_initialisers(text: &str) -> String {
    let structs = header::structs(text);
    let mut out = String::new();
    for line in text.lines() {
        writeln!(out, "{line}").unwrap();
        let name = line.strip_prefix("} ").and_then(|rest| rest.strip_suffix(';'));
        if let Some(item) = structs.iter().find(|item| Some(&*item.name) == name) {
            out.push_str(&initialiser(item));
        }
    }
    out
}

fn initialiser(item: &header::Struct) -> String {
    if item.fields.first().is_none_or(|field| field.declaration != "size_t size") {
        return String::new();
    }
    let macro_name = match item.name.as_str() {
        // Nobody makes one: it is received.
        "awsgi_api" => return String::new(),
        // AWSGI_APPLICATION_INIT is taken: it stores the table.
        "awsgi_application" => "AWSGI_APPLICATION_DEFAULT".to_owned(),
        name => format!("{}_INIT", name.to_uppercase()),
    };
    let values: Vec<_> = item.fields.iter().map(|field| initial(field, &item.name)).collect();
    let what = match item.fields.iter().any(|field| field.name == "deadline") {
        true => "its size, no deadline, and zero otherwise",
        false => "its size, and zero otherwise",
    };
    let values = values.join(", ");
    format!(
        "\n/** Initialises an {}: {what}. */\n#define {macro_name} \\\n    {{ {values} }}\n",
        item.name
    )
}

/// What `_INIT` puts into a field.
fn initial(field: &header::Field, owner: &str) -> String {
    let declaration = &field.declaration;
    match field.name.as_str() {
        "size" => format!("sizeof({owner})"),
        "deadline" => "AWSGI_FOREVER".to_owned(),
        "abi" => "AWSGI_ABI_VERSION".to_owned(),
        _ if declaration.contains('*') => "NULL".to_owned(),
        _ if declaration.starts_with("awsgi_slice ") => "{ NULL, 0 }".to_owned(),
        _ => "0".to_owned(),
    }
}

fn contains_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// The lines in which two texts differ, with two lines around each place.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    // The longest common part of what follows line i of the old and line j of the new text.
    let mut common = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    let near = |at: usize| {
        lines[at.saturating_sub(2)..(at + 3).min(lines.len())].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut out = String::new();
    let mut shown = 0;
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            writeln!(out, "{mark}{line}").unwrap();
            shown += 1;
        } else if at > 0 && near(at - 1) {
            out.push_str("...\n");
        }
        if shown == 80 {
            out.push_str("(and more)\n");
            break;
        }
    }
    out
}
