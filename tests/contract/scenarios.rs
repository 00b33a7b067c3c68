//! The scenarios, by subject.

mod arming;
mod bad_reports;
mod chains;
mod deadlines;
mod descriptors;
mod ending;
mod foreign;
mod limits;
mod load;
mod multishot;
mod once;
mod sets;
mod sockets;
mod threads;

use super::driver::{Driver, Played};

/// What has to hold in every host that can do what it needs.
#[derive(Debug)]
pub struct Scenario {
    /// The row of the matrix.
    pub name: &'static str,
    /// In one line.
    pub about: &'static str,
    /// What the host has to offer.
    pub needs: &'static [&'static str],
    pub play: fn(&mut Driver) -> Played,
}

/// All of them, in the order of the matrix.
pub fn all() -> Vec<&'static Scenario> {
    let subjects = [
        arming::SCENARIOS,
        sets::SCENARIOS,
        deadlines::SCENARIOS,
        ending::SCENARIOS,
        chains::SCENARIOS,
        multishot::SCENARIOS,
        descriptors::SCENARIOS,
        sockets::SCENARIOS,
        foreign::SCENARIOS,
        once::SCENARIOS,
        bad_reports::SCENARIOS,
        threads::SCENARIOS,
        limits::SCENARIOS,
        load::SCENARIOS,
    ];
    subjects.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::THINGS;

    #[test]
    fn names_differ_and_fit_into_a_row() {
        let mut names: Vec<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert!(names.iter().all(|name| name.len() < 60 && !name.contains(['|', '\t', ':'])));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two scenarios have one name");
    }

    #[test]
    fn what_is_needed_is_what_a_driver_can_refuse() {
        for scenario in all() {
            for thing in scenario.needs {
                assert!(THINGS.contains(thing), "{}: {thing}", scenario.name);
            }
        }
    }
}
