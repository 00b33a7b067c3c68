//! What README.md and docs/ show is what the repository has.

mod common;

use common::header;

#[test]
fn programs_shown_are_those_of_the_examples() {
    for (language, folders, endings) in [
        ("c", ["c-examples", "c-examples/hosts"].as_slice(), [".c", ".h"].as_slice()),
        ("rust", &["examples"], &[".rs"]),
        ("python", &["python/examples", "python/tests/apps"], &[".py"]),
        (
            "java",
            &[
                "java/examples/src/main/java/io/awsgi/examples",
                "java/examples/src/main/java21/io/awsgi/examples",
                "java/examples/first/src/main/java/hello",
                "java/examples/first/modular",
            ],
            &[".java"],
        ),
        ("xml", &["java/examples/first"], &[".xml"]),
        ("cmake", &["c-examples/project"], &["CMakeLists.txt"]),
        ("meson", &["c-examples/project"], &["meson.build"]),
    ] {
        let examples: Vec<String> = folders
            .iter()
            .flat_map(|folder| {
                let entries = std::fs::read_dir(header::root().join(folder)).unwrap();
                entries.map(move |entry| {
                    format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap())
                })
            })
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .map(|name| header::read(&name))
            .collect();
        for (page, shown, block) in blocks() {
            if shown != language {
                continue;
            }
            assert!(
                examples.iter().any(|text| text.contains(block.trim_end())),
                "{page} shows a program that no file of {folders:?} contains, so nothing compiles \
                 it:\n{block}"
            );
        }
    }
}

#[test]
fn commands_shown_exist() {
    let makefile = header::read("Makefile");
    for (page, language, block) in blocks() {
        if language != "sh" && language != "console" {
            continue;
        }
        for line in block.lines() {
            let line = line.trim().trim_start_matches("$ ");
            let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split(' ').next())
            else {
                continue;
            };
            assert!(
                makefile.lines().any(|rule| rule.starts_with(&format!("{target}:"))),
                "{page} shows `make {target}`, which the Makefile does not have"
            );
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for (page, text) in pages() {
        let directory = header::root().join(&page).parent().unwrap().to_owned();
        for link in prose(&text).split("](").skip(1) {
            let link = link.split([')', ' ']).next().unwrap();
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if link.contains(':') {
                continue;
            }
            let file =
                if file.is_empty() { header::root().join(&page) } else { directory.join(file) };
            assert!(file.exists(), "{page} links to {link}, which does not exist");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap();
                assert!(
                    anchors(&text).any(|anchor| anchor == heading),
                    "{page} links to {link}, but there is no such heading"
                );
            }
        }
    }
}

/// A page without its code, where brackets mean something else.
fn prose(text: &str) -> String {
    let fences = text.split("\n```").step_by(2);
    fences.flat_map(|part| part.split('`').step_by(2)).collect()
}

/// What the headings of a page are linked by.
fn anchors(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

/// The pages for users: name and text.
fn pages() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned(), "java/README.md".to_owned()];
    for entry in std::fs::read_dir(header::root().join("docs")).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.into_iter().map(|name| (name.clone(), header::read(&name))).collect()
}

/// The fenced blocks of the pages: page, language, text.
fn blocks() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (page, text) in pages() {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.strip_prefix("```") else { continue };
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((page.clone(), language.trim().to_owned(), block.join("\n") + "\n"));
        }
    }
    found
}
