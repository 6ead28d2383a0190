//! What `linkbeat doctor` found: a line each, then what to do, then the settings.

use std::io::{self, Write};

use serde_json::json;

use super::listing::{Cell, Column, Kind, Listing};
use super::{Style, grid, plain};
use crate::finding::{Finding, State};
use crate::settings::Origin;

/// For people. Lines are not shortened: in what was found every word may matter.
pub(crate) fn table(
    findings: &[Finding],
    settings: &[Origin],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style { width: None, ..style };
    if !settings.is_empty() {
        grid::write(&of_settings(settings), style, out)?;
        writeln!(out)?;
    }
    grid::write(&of_findings(findings), style, out)?;
    // What helps against several is said once.
    let mut remedies = Vec::new();
    for finding in findings {
        let remedy = finding.remedy.as_ref().map(|remedy| (finding.check, remedy));
        remedies.extend(remedy.filter(|remedy| !remedies.contains(remedy)));
    }
    if !remedies.is_empty() {
        writeln!(out, "\nWhat to do:")?;
    }
    for (check, remedy) in remedies {
        writeln!(out, "  {check}: {}", plain(remedy))?;
    }
    Ok(())
}

/// One object for programs.
pub(crate) fn json(findings: &[Finding], settings: &[Origin], out: &mut dyn Write) -> io::Result<()> {
    let count = |word: &str| findings.iter().filter(|finding| finding.state.as_str() == word).count();
    let items: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "state": finding.state.as_str(),
                "finding": finding.text,
                "remedy": finding.remedy,
            })
        })
        .collect();
    let (problems, warnings) = (count("problem"), count("warning"));
    let all = json!({ "problems": problems, "warnings": warnings, "findings": items, "settings": settings });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

fn of_findings(findings: &[Finding]) -> Listing {
    let row = |finding: &Finding| {
        let kind = match finding.state {
            State::Ok => Kind::Good,
            State::Warning => Kind::Doubtful,
            State::Problem(_) => Kind::Bad,
        };
        vec![Cell::of(kind, finding.state.as_str()), Cell::text(finding.check), Cell::text(&finding.text)]
    };
    Listing {
        columns: ["", "CHECK", "FOUND"].map(Column::fixed).into(),
        rows: findings.iter().map(row).collect(),
    }
}

fn of_settings(settings: &[Origin]) -> Listing {
    let row =
        |setting: &Origin| [&setting.name, &setting.value, &setting.from].map(|text| Cell::text(text)).into();
    Listing {
        columns: ["SETTING", "VALUE", "FROM"].map(Column::fixed).into(),
        rows: settings.iter().map(row).collect(),
    }
}
