//! How tables grow: by an eighth, not by as much again, because what is made room for and not used
//! counts for every suspended exchange. An element is moved nine times on average, in place of two.

/// Sees to it that one more element fits.
pub(crate) fn room_for_one<T>(table: &mut Vec<T>) {
    if table.len() == table.capacity() {
        table.reserve_exact(more(table.len()));
    }
}

/// By how much a table of this length grows.
pub(crate) fn more(len: usize) -> usize {
    (len / 8).max(32)
}
