//! A plot for each measure: the values of every round, side by side.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::measure::{Better, Outcome, Samples, figure};
use crate::statistics::median;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 40.0;

/// Ours, then the peers: there are four at most.
const COLOURS: [&str; 5] = ["#0b62a8", "#c4500c", "#2f7d32", "#7a3e9d", "#6b6b6b"];

/// Writes the plot of a measure as MEASURE.svg, with a hyphen for each slash.
pub fn write(directory: &Path, samples: &Samples) -> Outcome<()> {
    let mut sides = vec![("awsgi", samples.our_values())];
    sides.extend(samples.peer_values());
    fs::create_dir_all(directory)?;
    let name = samples.measure.name.replace('/', "-");
    Ok(fs::write(directory.join(format!("{name}.svg")), draw(samples, &sides)?)?)
}

fn draw(samples: &Samples, sides: &[(&str, Vec<f64>)]) -> Result<String, std::fmt::Error> {
    // From zero, so that what looks like a difference is one.
    let top = sides.iter().flat_map(|(_, values)| values).fold(0.0, |high: f64, v| high.max(*v));
    let top = if top > 0.0 { top * 1.05 } else { 1.0 };
    let rounds = samples.ours.len().max(1) as f64;
    let x = |round: usize| LEFT + (WIDTH - LEFT - RIGHT) * (round as f64 + 0.5) / rounds;
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / top).max(0.0);

    let right = WIDTH - RIGHT;
    let mut svg = String::new();
    let measure = samples.measure;
    let way = match measure.better {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
    };
    writeln!(
        svg,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' \
         font-family='sans-serif' font-size='12'>\n\
         <title>{}</title>\n<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>\n\
         <text x='{LEFT}' y='20' font-size='14' font-weight='bold'>{}: {}, {way}</text>",
        measure.name, measure.name, measure.unit
    )?;
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let y = y(value);
        writeln!(
            svg,
            "<line x1='{LEFT}' x2='{right}' y1='{y:.1}' y2='{y:.1}' stroke='#dddddd'/>\
             <text x='{}' y='{:.1}' text-anchor='end'>{}</text>",
            LEFT - 8.0,
            y + 4.0,
            figure(value),
        )?;
    }
    writeln!(
        svg,
        "<text x='{:.1}' y='{:.1}' text-anchor='middle'>rounds 1 to {rounds}; the lines are \
         medians</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 12.0
    )?;
    for (at, (name, values)) in sides.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let middle = median(values);
        let level = y(middle);
        writeln!(
            svg,
            "<line x1='{LEFT}' x2='{right}' y1='{level:.1}' y2='{level:.1}' stroke='{colour}' \
             stroke-dasharray='4 3'/>\
             <circle cx='{:.1}' cy='36' r='4' fill='{colour}'/>\
             <text x='{:.1}' y='40'>{name}: {}</text>",
            LEFT + 6.0 + 158.0 * at as f64,
            LEFT + 16.0 + 158.0 * at as f64,
            figure(middle),
        )?;
        for (round, value) in values.iter().enumerate() {
            writeln!(
                svg,
                "<circle cx='{:.1}' cy='{:.1}' r='4' fill='{colour}'><title>round {}, {name}: \
                 {value:.1}</title></circle>",
                x(round),
                y(*value),
                round + 1
            )?;
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
