//! The table, and results.json.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::measure::{Bar, Better, Outcome, Samples, Verdict, figure};
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

/// Prints a line for each bar of each measure, and for each peer without a bar.
pub fn print(results: &[Samples]) {
    let mut rows = vec![
        ["measure", "unit", "awsgi", "peer", "", "ratio [95 %]", "verdict", "bar"]
            .map(String::from),
    ];
    for samples in results {
        let measure = samples.measure;
        let way = match measure.better {
            Better::Lower => "lower is better",
            Better::Higher => "higher is better",
        };
        let mut row = |peer: Option<&'static str>, bar: Option<&Bar>| {
            let (value, ratio) = match peer {
                Some(peer) => {
                    let Estimate { median: ratio, low, high } = samples.ratio(peer);
                    let (_, values) =
                        samples.peer_values().find(|(name, _)| *name == peer).expect("a peer");
                    (figure(median(&values)), format!("{ratio:.3} [{low:.3}, {high:.3}]"))
                }
                None => (String::new(), String::new()),
            };
            let (verdict, bar) = match bar.map(|bar| samples.verdict(bar)) {
                Some((Verdict::Met, bar)) => ("met", bar),
                Some((Verdict::NotMet, bar)) => ("NOT MET", bar),
                Some((Verdict::Undecided, bar)) => ("UNDECIDED", bar),
                None => ("", String::new()),
            };
            rows.push([
                measure.name.to_owned(),
                format!("{}, {way}", measure.unit),
                figure(median(&samples.our_values())),
                value,
                peer.unwrap_or("").to_owned(),
                ratio,
                verdict.to_owned(),
                bar,
            ]);
        };
        // Of a peer that was left out there was a line before.
        for bar in measure.bars.iter().filter(|bar| bar.peer().is_none_or(|peer| samples.has(peer)))
        {
            row(bar.peer(), Some(bar));
        }
        let barred = |peer: &str| measure.bars.iter().any(|bar| bar.peer() == Some(peer));
        for peer in measure.peers.iter().filter(|peer| !barred(peer) && samples.has(peer)) {
            row(Some(peer), None);
        }
        if measure.bars.is_empty() && measure.peers.is_empty() {
            row(None, None);
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
