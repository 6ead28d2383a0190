//! The phases of a check, one below the other as they followed, as SVG inside the page.

use std::fmt;

use askama::filters::{Html, HtmlSafe};
use linkbeat_shared::{Phase, Phases};

use crate::pages::parts::milliseconds;
use crate::pages::wording::Texts;

const WIDTH: f64 = 480.0;
const ROW: f64 = 22.0;
/// Where bars begin and end. Names stand before, milliseconds after.
const LEFT: f64 = 110.0;
const RIGHT: f64 = 410.0;

/// The phases with their names.
#[derive(Debug, Clone)]
pub(crate) struct Waterfall {
    title: &'static str,
    phases: Vec<(&'static str, u32)>,
}

impl Waterfall {
    pub(crate) fn new(t: &Texts, phases: Phases) -> Self {
        let phases = phases.iter().map(|(phase, ms)| (phase_word(t, phase), ms)).collect();
        Self { title: t.phases, phases }
    }

    /// Each phase with its time, for a table.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        self.phases.iter().map(|(name, ms)| (*name, milliseconds(*ms))).collect()
    }
}

fn phase_word(t: &Texts, phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => t.phase_dns,
        Phase::Connect => t.phase_connect,
        Phase::Tls => t.phase_tls,
        Phase::Body => t.phase_body,
        _ => t.phase_headers,
    }
}

impl fmt::Display for Waterfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: f64 = self.phases.iter().map(|(_, ms)| f64::from(*ms)).sum();
        let height = ROW * self.phases.len() as f64;
        let told: Vec<_> =
            self.phases.iter().map(|(name, ms)| format!("{name} {}", milliseconds(*ms))).collect();
        let label = format!("{}: {}", self.title, told.join(", "));
        let label = askama::filters::escape(&label, Html).map_err(|_| fmt::Error)?;
        write!(
            f,
            "<svg class=\"chart waterfall\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">"
        )?;
        let (scale, mut before) = ((RIGHT - LEFT) / total.max(1.0), 0.0);
        for (place, (name, ms)) in self.phases.iter().enumerate() {
            let (top, length) = (ROW * place as f64, f64::from(*ms) * scale);
            let (x, text_y) = (LEFT + before * scale, top + 15.0);
            before += f64::from(*ms);
            let name = askama::filters::escape(name, Html).map_err(|_| fmt::Error)?;
            write!(f, "<text x=\"0\" y=\"{text_y:.1}\">{name}</text>")?;
            write!(
                f,
                "<rect class=\"phase\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"2\"/>",
                top + 5.0,
                length.max(1.5)
            )?;
            let text_x = x + length.max(1.5) + 6.0;
            write!(f, "<text x=\"{text_x:.1}\" y=\"{text_y:.1}\">{}</text>", milliseconds(*ms))?;
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Waterfall {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use linkbeat_shared::Lang;

    use super::*;

    #[test]
    fn each_phase_begins_where_the_one_before_ends() {
        let spent = [10, 20, 30, 40, 0].map(Duration::from_millis);
        let phases = Phases::of(spent).unwrap();
        let waterfall = Waterfall::new(Texts::of(Lang::En), phases);
        let svg = waterfall.to_string();
        let xs: Vec<_> = svg.split("<rect class=\"phase\" x=\"").skip(1).map(|bar| &bar[..5]).collect();
        assert_eq!(xs, ["110.0", "140.0", "200.0", "290.0", "410.0"], "{svg}");
        assert!(svg.contains(">40 ms</text>") && !svg.contains("style="), "{svg}");
        assert_eq!(waterfall.rows()[3].1, "40 ms");
        let nothing = Phases::of([Duration::from_micros(5); 5]).unwrap();
        assert!(!Waterfall::new(Texts::of(Lang::Zh), nothing).to_string().contains("NaN"));
    }
}
