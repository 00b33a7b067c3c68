//! What a shared library offers: its exported symbols and its soname.

use object::elf::{DT_SONAME, FileHeader64};
use object::read::elf::{Dyn, FileHeader};
use object::{Endianness, Object, ObjectSymbol};
use std::path::Path;

/// The names of the symbols that others can link to, sorted.
pub fn exported(library: &Path) -> Vec<String> {
    let bytes = std::fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut names: Vec<String> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .map(|symbol| symbol.name().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Whether it needs a symbol of another library.
pub fn imports(library: &Path, symbol: &str) -> bool {
    let bytes = std::fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    file.dynamic_symbols().any(|found| found.is_undefined() && found.name() == Ok(symbol))
}

/// The name by which a program asks for it when it starts.
pub fn soname(library: &Path) -> Option<String> {
    let bytes = std::fs::read(library).unwrap();
    let header = FileHeader64::<Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*bytes).unwrap();
    let (entries, strings) = sections.dynamic(endian, &*bytes).unwrap()?;
    let strings = sections.strings(endian, &*bytes, strings).unwrap();
    let entry = entries.iter().find(|entry| entry.tag(endian) == DT_SONAME)?;
    let name = entry.string(endian, strings).unwrap();
    Some(String::from_utf8(name.to_vec()).unwrap())
}
