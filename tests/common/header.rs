//! `include/awsgi.h` read as text: its constants, structs and functions, each with its comment.
//!
//! It understands what `tests/header.rs` writes, not C in general.

use std::path::PathBuf;

/// A function: its name, comment and prototype on one line.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub comment: String,
    pub prototype: String,
}

/// A struct with its comment and its fields in order.
#[derive(Debug)]
pub struct Struct {
    pub name: String,
    pub comment: String,
    pub fields: Vec<Field>,
}

/// A field: its declaration on one line, without the semicolon.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub comment: String,
    pub declaration: String,
}

/// A `#define NAME value`.
#[derive(Debug)]
pub struct Constant {
    pub name: String,
    pub comment: String,
    pub value: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

/// The text of the header.
pub fn awsgi_h() -> String {
    read("include/awsgi.h")
}

/// The functions that the header declares with AWSGI_API.
pub fn functions(header: &str) -> Vec<Function> {
    declarations(header)
        .into_iter()
        .filter_map(|(comment, text)| {
            let prototype = text.strip_prefix("AWSGI_API ")?.to_owned();
            let name = last_word(&prototype[..prototype.find('(')?]);
            Some(Function { name, comment, prototype })
        })
        .collect()
}

/// The structs that the header defines. Those it only names are not among them.
pub fn structs(header: &str) -> Vec<Struct> {
    declarations(header)
        .into_iter()
        .filter_map(|(comment, text)| {
            let body = text.strip_prefix("typedef struct ")?;
            let open = body.find('{')?;
            let close = body.rfind('}')?;
            let name = body[close + 1..].trim().to_owned();
            Some(Struct { name, comment, fields: fields(&body[open + 1..close]) })
        })
        .collect()
}

/// The constants of the header: macros without parameters that have a value, except the
/// initialisers and the decorations of functions.
pub fn constants(header: &str) -> Vec<Constant> {
    declarations(header)
        .into_iter()
        .filter_map(|(comment, text)| {
            let (name, value) = text.strip_prefix("#define ")?.split_once(char::is_whitespace)?;
            let value = value.trim().to_owned();
            let plain = !name.contains('(') && !value.starts_with('{') && !value.starts_with("__");
            plain.then(|| Constant { name: name.to_owned(), comment, value })
        })
        .collect()
}

fn fields(body: &str) -> Vec<Field> {
    declarations(body)
        .into_iter()
        .map(|(comment, declaration)| {
            let name = match declaration.split_once("(*") {
                Some((_, rest)) => rest[..rest.find(')').unwrap()].to_owned(),
                None => last_word(declaration.split('[').next().unwrap()),
            };
            Field { name, comment, declaration }
        })
        .collect()
}

/// Splits C into declarations, each with the comment before it. Comments are taken out of the
/// inside of functions' prototypes, kept inside of structs.
fn declarations(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut comment = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix("/*") {
            let end = inside.find("*/").expect("a comment that ends");
            comment = clean_comment(&inside[..end]);
            rest = inside[end + 2..].trim_start_matches([' ', '\t']);
            // A blank line parts a comment from what follows: it is then a banner.
            if rest.starts_with("\n\n") {
                comment.clear();
            }
            rest = rest.trim_start();
        } else if rest.starts_with('#') {
            let end = end_of_directive(rest);
            let line = rest[..end].replace("\\\n", " ");
            found.push((std::mem::take(&mut comment), one_line(&line)));
            rest = rest[end..].trim_start();
        } else if let Some(inside) = rest.strip_prefix("extern \"C\" {") {
            rest = inside.trim_start();
        } else if let Some(inside) = rest.strip_prefix('}') {
            rest = inside.trim_start();
        } else {
            let end = end_of_declaration(rest);
            let declaration = &rest[..end];
            // The inside of a struct keeps its comments for its fields.
            let declaration = if declaration.contains('{') {
                declaration.to_owned()
            } else {
                one_line(&without_comments(declaration))
            };
            let declaration = declaration.trim_end_matches(';').to_owned();
            found.push((std::mem::take(&mut comment), declaration));
            rest = rest[end..].trim_start();
        }
    }
    found
}

fn end_of_directive(text: &str) -> usize {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if !line.trim_end().ends_with('\\') {
            break;
        }
    }
    end
}

/// Where the declaration at the start of `text` ends: after its semicolon, or after the body of an
/// inline function.
fn end_of_declaration(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            at += text[at..].find("*/").expect("a comment that ends") + 2;
            continue;
        }
        match text.as_bytes()[at] {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 && text.starts_with("static inline") {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find("*/").expect("a comment that ends") + start + 2;
        rest = &rest[end..];
    }
    out + rest
}

fn clean_comment(inside: &str) -> String {
    inside
        .trim_start_matches('*')
        .lines()
        .map(|line| line.trim().trim_start_matches('*').trim())
        .collect::<Vec<_>>()
        .join("\n")
        .trim()
        .to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn last_word(text: &str) -> String {
    text.rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_owned()
}
