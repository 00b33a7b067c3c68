//! The table, and results.json.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::measure::{Better, Outcome, Samples, Verdict};
use crate::statistics::{Estimate, median};

/// Where results and plots go.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench")
}

/// results.json: a list with an object for each measure, one on a line.
pub struct Report {
    lines: Vec<String>,
}

impl Report {
    /// Begins a report: an empty one at a full start, otherwise with what others measured.
    pub fn open(full: bool) -> Outcome<Report> {
        let path = path();
        if full {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => return Ok(Report { lines: Vec::new() }),
            }
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(|line| line.trim().trim_end_matches(','));
        Ok(Report {
            lines: lines.filter(|line| line.starts_with('{')).map(str::to_owned).collect(),
        })
    }

    /// Adds a result, in place of an older one of the same measure, and writes the file.
    pub fn add(&mut self, samples: &Samples) -> Outcome<()> {
        let line = object(samples);
        let begin = format!("{{\"measure\": {:?},", samples.measure.name);
        match self.lines.iter_mut().find(|other| other.starts_with(&begin)) {
            Some(old) => *old = line,
            None => self.lines.push(line),
        }
        let text = format!("[\n{}\n]\n", self.lines.join(",\n"));
        fs::create_dir_all(directory())?;
        Ok(fs::write(path(), text)?)
    }
}

fn path() -> PathBuf {
    directory().join("results.json")
}

fn object(samples: &Samples) -> String {
    let measure = samples.measure;
    let better = match measure.better {
        Better::Lower => "lower",
        Better::Higher => "higher",
    };
    let list = |parts: Vec<String>| parts.join(", ");
    let peers =
        samples.peer_values().map(|(name, all)| format!("{name:?}: {}", number(median(&all))));
    let ratios = samples.peer_values().map(|(name, _)| {
        let Estimate { median, low, high } = samples.ratio(name);
        format!("{name:?}: [{}, {}, {}]", number(median), number(low), number(high))
    });
    format!(
        "{{\"measure\": {:?}, \"unit\": {:?}, \"better\": {better:?}, \"ours\": {}, \
         \"peers\": {{{}}}, \"ratio\": {{{}}}}}",
        measure.name,
        measure.unit,
        number(median(&samples.our_values())),
        list(peers.collect()),
        list(ratios.collect()),
    )
}

/// JSON knows no infinity.
fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { "null".to_owned() }
}

/// Prints a line for each peer of each measure, or one if it has none.
pub fn print(results: &[Samples]) {
    let mut rows = vec![
        ["measure", "unit", "awsgi", "peer", "", "ratio [95 %]", "verdict", "bar"]
            .map(String::from),
    ];
    for samples in results {
        let measure = samples.measure;
        let (verdict, bar) = samples.verdict();
        let verdict = match verdict {
            Verdict::Met => "met",
            Verdict::NotMet => "NOT MET",
            Verdict::Undecided => "UNDECIDED",
        };
        let way = match measure.better {
            Better::Lower => "lower is better",
            Better::Higher => "higher is better",
        };
        let mut row = |peer: String, name: &str, ratio: String| {
            rows.push([
                measure.name.to_owned(),
                format!("{}, {way}", measure.unit),
                format!("{:.0}", median(&samples.our_values())),
                peer,
                name.to_owned(),
                ratio,
                verdict.to_owned(),
                bar.clone(),
            ]);
        };
        if samples.peers.is_empty() {
            row(String::new(), "", String::new());
        }
        for (name, values) in samples.peer_values() {
            let Estimate { median: ratio, low, high } = samples.ratio(name);
            let ratio = format!("{ratio:.3} [{low:.3}, {high:.3}]");
            row(format!("{:.0}", median(&values)), name, ratio);
        }
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    println!();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    println!();
    for line in results.iter().flat_map(Samples::asides) {
        println!("{line}");
    }
}
