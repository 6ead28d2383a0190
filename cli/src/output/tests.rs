//! Each format's exact output, which is a contract with scripts and people; the texts are in `expected/`.

use std::io::{self, Write};

use clap::ValueEnum;
use linkbeat_shared::wire::{ReportMessage, decode};
use linkbeat_shared::{Change, Counts, Lang, Link, LinkName, LinkReport, RunState, Verdict};
use linkbeat_store::ReportLinks;

use super::sample::Report;
use super::{Format, FormatName, Prose, Style, sample};

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn format(name: FormatName, lang: Lang, style: Style) -> Box<dyn Format> {
    super::format(name, Prose { lang, warn_certificate_days: 14 }, style)
}

fn plainly(name: FormatName, lang: Lang) -> Box<dyn Format> {
    format(name, lang, Style::PLAIN)
}

fn report(name: FormatName, lang: Lang) -> String {
    written(|out| write_report(&*plainly(name, lang), &sample::report(), out))
}

fn links(name: FormatName) -> String {
    written(|out| write_links(&*plainly(name, Lang::En), &sample::links(), out))
}

/// Links that a page has.
const PAGE: usize = 3;

/// Writes what a format asks for, in pages, as if it came from the database.
fn write_report(format: &dyn Format, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut pages = format.report(&report.run, out)?;
    for which in format.selections(&report.run) {
        let selected: Vec<_> = report.links.iter().filter(|link| is_among(link, which)).cloned().collect();
        selected.chunks(PAGE).try_for_each(|page| pages.page(page))?;
    }
    pages.end()
}

fn is_among(link: &LinkReport, which: ReportLinks) -> bool {
    match which {
        ReportLinks::All => true,
        ReportLinks::ChangedOrFailed => unreachable!("only replies ask for these"),
        ReportLinks::Of { change, verdict } => (link.change, link.verdict) == (change, verdict),
    }
}

fn write_links(format: &dyn Format, links: &[Link], out: &mut dyn Write) -> io::Result<()> {
    let mut pages = format.links(out)?;
    links.chunks(PAGE).try_for_each(|page| pages.page(page))?;
    pages.end()
}

macro_rules! expected {
    ($actual:expr, $file:literal) => {
        assert_eq!($actual, include_str!(concat!("expected/", $file)), $file);
    };
}

#[test]
fn the_table_lists_what_changed_and_then_what_failed() {
    expected!(report(FormatName::Table, Lang::En), "report.txt");
    expected!(report(FormatName::Table, Lang::Zh), "report_zh.txt");
    expected!(links(FormatName::Table), "links.txt");
}

#[test]
fn the_table_fits_a_narrow_terminal_and_is_coloured_there() {
    let style = Style { color: true, width: Some(72) };
    let table =
        written(|out| write_report(&*format(FormatName::Table, Lang::Zh, style), &sample::report(), out));
    expected!(table, "report_narrow.ansi");
}

#[test]
fn the_table_says_in_one_line_that_all_is_well() {
    let table = |report| written(|out| write_report(&*plainly(FormatName::Table, Lang::En), &report, out));
    assert_eq!(table(sample::good_report()), "All is well · 1 checked: 1 up · 0 hidden, 0 shown · 5.1 s\n");
    // Nothing failed yet, which is not the same.
    let mut going_on = sample::good_report();
    (going_on.run.state, going_on.run.finished_at) = (RunState::Running, None);
    going_on.run.counts.active = 2;
    assert_eq!(table(going_on), "running: 1 of 2 checked: 1 up · 0 hidden, 0 shown\n");
    let mut cancelled = sample::good_report();
    cancelled.run.state = RunState::Cancelled;
    assert_eq!(table(cancelled), "cancelled: 1 checked: 1 up · 0 hidden, 0 shown · 5.1 s\n");
    assert_eq!(table(sample::report_of(Vec::new())), "0 checked · 0 hidden, 0 shown · 5.1 s\n");
    let none = written(|out| write_links(&*plainly(FormatName::Table, Lang::En), &[], out));
    assert_eq!(none, "No links\n");
}

#[test]
fn links_without_a_result_are_told_of() {
    let mut report = sample::good_report();
    let run = &mut report.run;
    (run.state, run.missing, run.to_recheck, run.counts.active) = (RunState::Incomplete, 3, 2, 6);
    let written_in = |name, lang| written(|out| write_report(&*plainly(name, lang), &report, out));
    let table = written_in(FormatName::Table, Lang::En);
    assert!(table.contains(" · 3 missing (parked) · 2 to be looked at again · 5.1 s"), "{table}");
    let markdown = written_in(FormatName::Markdown, Lang::Zh);
    assert!(markdown.contains("缺失 3（已搁置） · 待复查 2"), "{markdown}");
    let message: ReportMessage = decode(written_in(FormatName::Json, Lang::En).as_bytes()).unwrap();
    assert_eq!((message.code, message.error.as_str()), (3, "incomplete"));
    assert!(message.message.contains("linkbeat dead list"), "{}", message.message);
    let data = message.data.unwrap();
    assert_eq!((data.state, data.missing, data.to_recheck), (RunState::Incomplete, 3, 2));
    assert!(written_in(FormatName::Junit, Lang::En).contains(r#"<property name="missing" value="3"/>"#));
}

#[test]
fn a_run_that_is_held_back_says_what_was_seen_and_what_it_would_do() {
    let report = sample::held_back_report();
    let written_in = |name, lang| written(|out| write_report(&*plainly(name, lang), &report, out));
    let table = written_in(FormatName::Table, Lang::En);
    let summary = "held back: 2 checked: 1 up, 1 down · 0 hidden, 0 shown · if applied: 1 hidden, 1 shown · 11 of the 12 \
                   links that were checked before would be hidden for the same reason (status) · 5.1 s";
    assert!(table.contains("hidden?") && table.contains("shown?") && table.contains(summary), "{table}");
    let markdown = written_in(FormatName::Markdown, Lang::Zh);
    assert!(
        markdown.starts_with("### 待确认：")
            && markdown.contains("若应用：隐藏 1，恢复 1 · 此前检查过的 12 个链接中"),
        "{markdown}"
    );
    let json = written_in(FormatName::Json, Lang::En);
    let message: ReportMessage = decode(json.as_bytes()).unwrap();
    assert_eq!((message.code, message.error.as_str()), (3, "held_back"));
    assert!(message.message.starts_with("11 of the 12 links"), "{}", message.message);
    let data = message.data.unwrap();
    assert_eq!((data.would_hide, data.would_show, data.held_back), (1, 1, report.run.held_back.clone()));
    let proposed: Vec<_> = data.links.iter().map(|link| (link.changed, link.proposed)).collect();
    assert_eq!(proposed, [(None, Some(Change::Hidden)), (None, Some(Change::Shown))]);
    assert!(written_in(FormatName::Junit, Lang::En).contains(r#"<error type="held_back""#));
}

#[test]
fn a_run_that_is_not_finished_says_so_and_is_no_passed_test() {
    let report = sample::cancelled_report();
    let written_in = |name, lang| written(|out| write_report(&*plainly(name, lang), &report, out));
    expected!(written_in(FormatName::Table, Lang::En), "cancelled.txt");
    expected!(written_in(FormatName::Markdown, Lang::En), "cancelled.md");
    let chinese = written_in(FormatName::Markdown, Lang::Zh);
    assert!(chinese.starts_with("### 已取消：检查 7/11 个：正常 2"), "{chinese}");
    expected!(written_in(FormatName::Junit, Lang::En), "cancelled.xml");
}

#[test]
fn a_run_that_went_well_says_which_certificates_are_about_to_end() {
    let report = sample::ending_report();
    let written_in = |name, lang| written(|out| write_report(&*plainly(name, lang), &report, out));
    let table = written_in(FormatName::Table, Lang::En);
    assert!(table.contains("certificate expires in 5 days  "), "{table}");
    assert!(table.ends_with("1 up · 0 hidden, 0 shown · 1 certificate about to expire · 5.1 s\n"), "{table}");
    let markdown = written_in(FormatName::Markdown, Lang::Zh);
    assert!(markdown.contains("证书即将过期 1") && markdown.contains("| 证书 5 天后过期 |"), "{markdown}");
    let calm = Prose { lang: Lang::En, warn_certificate_days: 5 };
    let calm = super::format(FormatName::Table, calm, Style::PLAIN);
    assert!(written(|out| write_report(&*calm, &report, out)).starts_with("All is well · 1 checked: 1 up"));
}

#[test]
fn rows_that_were_left_out_are_counted() {
    let mut report = sample::report();
    report.links = std::iter::repeat_n(report.links, 200).flatten().collect();
    let markdown = written(|out| write_report(&*plainly(FormatName::Markdown, Lang::En), &report, out));
    assert!((55_000..65_536).contains(&markdown.len()), "{}", markdown.len());
    let rows = markdown.matches("\n| ").count() - 2;
    // Seven of the sample's links are worth a row.
    assert!(markdown.ends_with(&format!("\n\nand {} more\n", 7 * 200 - rows)), "{rows}");
}

#[test]
fn json_is_the_report_message() {
    let json = report(FormatName::Json, Lang::Zh);
    expected!(json, "report.json");
    decode::<ReportMessage>(json.as_bytes()).unwrap();
    expected!(links(FormatName::Json), "links.json");
}

#[test]
fn jsonl_ends_with_the_counts() {
    let lines = report(FormatName::Jsonl, Lang::En);
    expected!(lines, "report.jsonl");
    let counts: ReportMessage = decode(lines.lines().last().unwrap().as_bytes()).unwrap();
    assert_eq!(counts.data.unwrap().active_num, 7);
    expected!(links(FormatName::Jsonl), "links.jsonl");
}

#[test]
fn csv_has_a_row_per_link_and_no_formulas() {
    expected!(report(FormatName::Csv, Lang::En), "report.csv");
    expected!(links(FormatName::Csv), "links.csv");
}

#[test]
fn junit_has_a_case_per_link() {
    expected!(report(FormatName::Junit, Lang::En), "report.xml");
    let error = write_links(&*plainly(FormatName::Junit, Lang::En), &[], &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn markdown_cannot_be_broken_by_a_name() {
    expected!(report(FormatName::Markdown, Lang::En), "report.md");
    expected!(links(FormatName::Markdown), "links.md");
}

#[test]
fn no_format_lets_a_secret_or_an_escape_sequence_through() {
    for name in FormatName::value_variants() {
        let text = report(*name, Lang::En);
        assert!(!text.contains("secret") && text.contains("evil.example"), "{name:?}");
        assert!(!text.contains('\u{1b}'), "{name:?}");
    }
}

#[test]
fn a_closed_pipe_is_told_as_such() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut long = sample::report();
    long.links = std::iter::repeat_n(long.links, 100).flatten().collect();
    for name in FormatName::value_variants() {
        let error = write_report(&*plainly(*name, Lang::En), &long, &mut Closed).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{name:?}");
    }
}

#[test]
fn listed_links_can_be_read_again() {
    use crate::input::{BadRows, Source, read_all};
    let folder = tempfile::tempdir().unwrap();
    for name in [FormatName::Csv, FormatName::Json] {
        let file = folder.path().join("links");
        std::fs::write(&file, links(name)).unwrap();
        let read: Vec<_> = read_all(&[Source::File(file)], BadRows::Refuse).unwrap().links.iter().collect();
        let stored = sample::links();
        assert_eq!(read.len(), stored.len());
        for (read, stored) in read.iter().zip(&stored) {
            let keys = (read.url.key(), read.page_url.as_ref(), read.active, read.shown, read.backlink);
            let (active, shown, backlink) = (stored.active, stored.state.shown, stored.backlink);
            let expected =
                (stored.url.key(), stored.page_url.as_ref(), Some(active), Some(shown), Some(backlink));
            assert_eq!(keys, expected, "{name:?}");
        }
    }
}

#[test]
fn a_run_of_the_white_list_alone_has_nothing_to_complain_about() {
    let mut report = sample::report_of(Vec::new());
    report.run.counts = Counts { white_listed: 2, to_show: 1, ..Counts::default() };
    let table = written(|out| write_report(&*plainly(FormatName::Table, Lang::Zh), &report, out));
    assert_eq!(table, "检查 0 个 · 隐藏 0，恢复 1 · 白名单 2 · 5.1 秒\n");
}

#[test]
fn a_long_table_gets_wider_where_its_rows_do() {
    let mut report = sample::good_report();
    let mut link = report.links.remove(0);
    link.verdict = Some(Verdict::Down);
    report.run.counts = Counts { active: 10_001, checked: 10_001, down: 10_001, ..Counts::default() };
    report.links = vec![link.clone(); 10_000];
    link.name = LinkName::parse("A rather long name").unwrap();
    report.links.push(link);
    let table =
        |style| written(|out| write_report(&*format(FormatName::Table, Lang::En, style), &report, out));

    let last_row = |table: &str| table.lines().nth(10_001).unwrap().to_owned();
    let plain = table(Style::PLAIN);
    assert_eq!(plain.lines().nth(1).unwrap(), "        Alice  https://alice.example/  down             120");
    assert_eq!(last_row(&plain), "        A rather long name  https://alice.example/  down             120");
    assert!(plain.ends_with("\n\n10001 checked: 10001 down · 0 hidden, 0 shown · 5.1 s\n"));
    let narrow = table(Style { color: false, width: Some(60) });
    assert_eq!(narrow.lines().nth(1).unwrap(), plain.lines().nth(1).unwrap());
    assert_eq!(last_row(&narrow), "        A rather…ame  https://al…mple/  down             120");
}

#[test]
fn a_long_listing_keeps_the_columns_that_its_first_rows_leave_empty() {
    let [with_certificate, without] = sample::links().try_into().unwrap();
    let mut stored = vec![without; 10_000];
    let listing = |name, stored: &[Link]| written(|out| write_links(&*plainly(name, Lang::En), stored, out));
    for name in [FormatName::Table, FormatName::Markdown] {
        assert!(!listing(name, &stored).contains("certificate until"), "{name:?}");
    }
    stored.push(with_certificate);
    for name in [FormatName::Table, FormatName::Markdown] {
        let listing = listing(name, &stored);
        assert!(
            listing.starts_with(listing.lines().find(|line| line.contains("certificate until")).unwrap())
        );
        assert!(listing.lines().last().unwrap().contains("2026-01-07"), "{name:?}");
    }
}
