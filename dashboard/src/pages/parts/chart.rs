//! A chart of response times as SVG inside the page. It has no style of its own: the style sheet knows its classes.

use std::fmt::{self, Write};

use askama::filters::{Html, HtmlSafe};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// About so many labels fit below.
const LABELS: usize = 7;

/// What was measured in one piece of time. `None`: nothing.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) label: String,
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
}

/// Medians and 95th percentiles in milliseconds, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// What it shows, in words.
    pub(crate) title: String,
    pub(crate) points: Vec<Point>,
}

impl Chart {
    /// Whether anything was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.points.iter().all(|point| point.p95.is_none())
    }

    fn x(&self, index: usize) -> f64 {
        let steps = self.points.len().saturating_sub(1).max(1);
        LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / steps as f64
    }

    fn top_value(&self) -> f64 {
        let most = self.points.iter().filter_map(|point| point.p95).fold(1.0, f64::max);
        round_up(most)
    }

    fn grid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = self.top_value();
        for quarter in 0..=4 {
            let value = top * f64::from(quarter) / 4.0;
            let y = y(value, top);
            let (right, text_y) = (WIDTH - RIGHT, y + 4.0);
            write!(f, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>")?;
            let text_x = LEFT - 6.0;
            write!(f, "<text x=\"{text_x}\" y=\"{text_y:.1}\" text-anchor=\"end\">{}</text>", unit(value))?;
        }
        let every = self.points.len().div_ceil(LABELS).max(1);
        for (index, point) in self.points.iter().enumerate().step_by(every) {
            let label = askama::filters::escape(&point.label, Html).map_err(|_| fmt::Error)?;
            let anchor = if index == 0 { "start" } else { "middle" };
            let (x, y) = (self.x(index), HEIGHT - 7.0);
            write!(f, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{label}</text>")?;
        }
        Ok(())
    }

    /// A line with a gap wherever nothing was measured. A value alone is a dot.
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        class: &str,
        dot: &str,
        of: fn(&Point) -> Option<f64>,
    ) -> fmt::Result {
        let (mut path, mut dots, top) = (String::new(), String::new(), self.top_value());
        for (index, point) in self.points.iter().enumerate() {
            let Some(value) = of(point) else { continue };
            let before = index.checked_sub(1).and_then(|before| of(&self.points[before]));
            let after = self.points.get(index + 1).and_then(of);
            let (x, y) = (self.x(index), y(value, top));
            if before.is_none() && after.is_none() {
                write!(dots, "<circle class=\"{dot}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")?;
            } else {
                write!(path, "{}{x:.1} {y:.1}", if before.is_some() { 'L' } else { 'M' })?;
            }
        }
        if !path.is_empty() {
            write!(f, "<path class=\"{class}\" d=\"{path}\"/>")?;
        }
        f.write_str(&dots)
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = askama::filters::escape(&self.title, Html).map_err(|_| fmt::Error)?;
        write!(
            f,
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
        )?;
        self.grid(f)?;
        self.line(f, "p95", "dot95", |point| point.p95)?;
        self.line(f, "p50", "dot50", |point| point.p50)?;
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Chart {}

fn y(value: f64, top: f64) -> f64 {
    TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value / top).clamp(0.0, 1.0))
}

/// The next of 1, 2, 4, 5 and 8 times a power of ten, so that its quarters are round.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= value)
        .unwrap_or(value)
}

fn unit(ms: f64) -> String {
    if ms >= 1_000.0 {
        format!("{} s", (ms / 100.0).round() / 10.0)
    } else {
        format!("{} ms", (ms * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[Option<f64>]) -> String {
        let point =
            |p95: &Option<f64>| Point { label: "<b>".to_owned(), p50: p95.map(|ms| ms / 2.0), p95: *p95 };
        Chart { title: "\"x\"".to_owned(), points: values.iter().map(point).collect() }.to_string()
    }

    #[test]
    fn gaps_stay_gaps_and_nothing_needs_a_style() {
        let svg = chart(&[Some(100.0), Some(200.0), None, Some(380.0)]);
        assert!(svg.contains("400 ms") && svg.contains("100 ms"), "{svg}");
        assert_eq!(svg.matches("<circle class=\"dot95\"").count(), 1, "the last stands alone: {svg}");
        let line = svg.split("class=\"p95\" d=\"").nth(1).unwrap();
        assert_eq!(line.split('"').next().unwrap().matches(['M', 'L']).count(), 2, "{svg}");
        assert!(!svg.contains("style") && !svg.contains("<b>") && svg.contains("&#60;b&#62;"), "{svg}");
    }

    #[test]
    fn one_value_or_none_is_no_fault() {
        assert!(chart(&[Some(0.0)]).contains("circle"));
        assert!(!chart(&[None]).contains("NaN") && !chart(&[]).contains("NaN"));
        assert_eq!((round_up(1.0), round_up(1_001.0), round_up(0.0)), (1.0, 2_000.0, 1.0));
    }
}
