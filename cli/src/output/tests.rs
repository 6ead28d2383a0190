//! Each format's exact output, which is a contract with scripts and people; the texts are in `expected/`.

use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use linkbeat_shared::wire::{ReportMessage, decode};
use linkbeat_shared::{
    Attributes, Change, Counts, Lang, Link, LinkName, LinkReport, NewLink, Pin, Pinned, Reason, RunState,
    Tags, Verdict, Without,
};
use linkbeat_store::ReportLinks;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::sample::Report;
use super::{Format, FormatName, Manner, Prose, Style, Urls, explained, sample};
use crate::input::{BadRows, NearRows, Source, read_all};

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn format(name: FormatName, lang: Lang, style: Style) -> Box<dyn Format> {
    super::format(name, manner(Prose { lang, warn_certificate_days: 14 }, style))
}

fn manner(prose: Prose, style: Style) -> Manner {
    Manner { prose, style, urls: Urls::Redacted, bom: false }
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

/// With `UPDATE_EXPECTED=1` the texts are written anew, to be looked at with `git diff`.
#[track_caller]
fn assert_expected(actual: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/output/expected").join(file);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap(), "{file}");
}

macro_rules! expected {
    ($actual:expr, $file:literal) => {
        assert_expected(&$actual, $file);
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
fn no_reason_is_cut_at_80_and_120_columns() {
    let at = |width, lang| {
        let format = format(FormatName::Table, lang, Style { color: false, width: Some(width) });
        let report = written(|out| write_report(&*format, &sample::report(), out));
        let links = written(|out| write_links(&*format, &sample::links(), out));
        let runs = written(|out| format.runs(&sample::runs(), out));
        for line in report.lines().chain(links.lines()).chain(runs.lines()) {
            let is_summary = line.contains(" · 5.1 ");
            assert!(line.width() <= width || is_summary, "{line}");
        }
        for link in &sample::report().links {
            let reason =
                link.reason.as_ref().map(|reason| super::plain(&lang.reason(reason))).unwrap_or_default();
            assert!(report.contains(&reason), "{reason} in {report}");
        }
        format!("{report}\n{links}\n{runs}")
    };
    expected!(at(80, Lang::En), "terminal_80.txt");
    expected!(at(120, Lang::En), "terminal_120.txt");
    expected!(at(80, Lang::Zh), "terminal_80_zh.txt");
}

#[test]
fn a_check_that_is_told_fits_80_and_120_columns() {
    let at = |width, lang| {
        let (told, result, spec) = sample::told();
        let steps =
            told.iter().flat_map(|told| explained::lines(told, lang)).map(|line| (line, explained::STAMP));
        let verdict = explained::verdict(&result, &spec, lang).into_iter().map(|line| (line, 0));
        let lines = steps.chain(verdict);
        let fitted = lines.flat_map(|(line, indent)| explained::fitted(&line, indent, Some(width)));
        let lines: Vec<String> = fitted.collect();
        for line in lines.iter().filter(|line| line.width() > width) {
            assert!(line.contains("https://"), "only a URL may be too wide for a line: {line}");
        }
        lines.join("\n") + "\n"
    };
    expected!(at(80, Lang::En), "explain_80.txt");
    expected!(at(120, Lang::En), "explain_120.txt");
    expected!(at(80, Lang::Zh), "explain_80_zh.txt");
}

#[test]
fn a_link_takes_two_lines_at_80_columns_also_with_the_longest_reason() {
    let mut report = sample::good_report();
    report.run.counts = Counts { active: 1, checked: 1, down: 1, ..Counts::default() };
    report.links[0].verdict = Some(Verdict::Down);
    report.links[0].reason = Some(Reason::BacklinkMissing { truncated: true });
    report.links[0].name = LinkName::parse(&"友".repeat(200)).unwrap();
    let format = format(FormatName::Table, Lang::En, Style { color: false, width: Some(80) });
    let table = written(|out| write_report(&*format, &report, out));
    assert_eq!(table.lines().count(), 5, "a heading, two lines, an empty one, the summary: {table}");
    assert!(table.lines().nth(2).unwrap().ends_with("(it is over the size limit)"), "{table}");
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
    let sheet = written_in(FormatName::Csv, Lang::En);
    let last: Vec<_> = sheet.lines().map(|row| row.rsplit(',').next().unwrap()).collect();
    assert_eq!(last, ["proposed", "hidden", "shown"]);
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
    let calm = super::format(FormatName::Table, manner(calm, Style::PLAIN));
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
fn yaml_has_what_json_has() {
    for (yaml, json) in [
        (report(FormatName::Yaml, Lang::Zh), report(FormatName::Json, Lang::Zh)),
        (links(FormatName::Yaml), links(FormatName::Json)),
    ] {
        let read: serde_json::Value = serde_yaml_ng::from_str(&yaml).unwrap();
        assert_eq!(read, serde_json::from_str::<serde_json::Value>(&json).unwrap(), "{yaml}");
    }
    assert!(links(FormatName::Yaml).starts_with("- id: \"0190a1b2"), "{}", links(FormatName::Yaml));
    let none = written(|out| write_links(&*plainly(FormatName::Yaml, Lang::En), &[], out));
    assert_eq!(none, "[]\n");
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
    let prose = Prose { lang: Lang::En, warn_certificate_days: 14 };
    let excel = super::format(FormatName::Csv, Manner { bom: true, ..manner(prose, Style::PLAIN) });
    assert_eq!(
        written(|out| write_links(&*excel, &sample::links(), out)),
        format!("\u{feff}{}", links(FormatName::Csv))
    );
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

/// Writes links whole, reads them again, and says what was read.
fn read_again(name: FormatName, links: &[Link], folder: &Path) -> Vec<NewLink> {
    let prose = Prose { lang: Lang::En, warn_certificate_days: 14 };
    let format = super::format(name, Manner { urls: Urls::Whole, ..manner(prose, Style::PLAIN) });
    let file = folder.join("links");
    std::fs::write(&file, written(|out| write_links(&*format, links, out))).unwrap();
    read_all(&[Source::File(file)], BadRows::Refuse, NearRows::Tell).unwrap().links.iter().collect()
}

/// What an import of the link must say.
fn said(link: &Link) -> NewLink {
    NewLink {
        name: Some(link.name.clone()),
        url: link.url.clone(),
        page_url: link.page_url.clone(),
        active: Some(link.active),
        paused_until: link.paused_until,
        shown: Some(link.state.shown),
        backlink: Some(link.backlink),
        group: link.group.clone(),
        attributes: link.attributes.clone(),
        without: Without::default(),
        pin: link.pin.clone(),
    }
}

/// The formats that are read again without loss.
const INVERSE: [FormatName; 4] = [FormatName::Csv, FormatName::Json, FormatName::Jsonl, FormatName::Yaml];

#[test]
fn listed_links_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let stored = sample::links();
    // The end of the pause in the sample lies too far ahead for a list.
    let all: Vec<_> = stored.iter().map(|link| NewLink { paused_until: None, ..said(link) }).collect();
    for name in INVERSE {
        assert_eq!(read_again(name, &stored, folder.path()), all, "{name:?}");
    }
    let key = |link: &NewLink| (link.name.clone(), link.url.key(), link.active, link.shown);
    let read: Vec<_> = read_again(FormatName::Markdown, &stored, folder.path()).iter().map(key).collect();
    assert_eq!(read, all.iter().map(key).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Export and import are inverse, whatever the texts of a link are.
    #[test]
    fn what_is_exported_is_imported_as_it_was(
        texts in prop::collection::vec(hostile_text(), 8),
        user in prop::option::of("[a-z]{1,5}"),
        flags in any::<[bool; 3]>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let text = |at: usize| texts[at].as_str();
        let user = user.map(|user| format!("{user}:p%40ss@")).unwrap_or_default();
        let mut link = sample::links().remove(0);
        link.url = format!("https://{user}a.example/x?y={}", flags[0]).parse().unwrap();
        link.page_url = flags[1].then(|| format!("http://{user}b.example/").parse().unwrap());
        link.name = LinkName::parse(text(0)).unwrap_or(link.name);
        (link.active, link.backlink, link.state.shown) = (flags[0], flags[1], flags[2]);
        // A list may say an end that is not over ten years ahead.
        let in_a_year = chrono::Utc::now().timestamp() + 31_000_000;
        link.paused_until = (!flags[0]).then(|| chrono::DateTime::from_timestamp(in_a_year, 7_000).unwrap());
        link.group = text(1).parse().ok();
        link.attributes = Attributes {
            avatar: text(2).parse().ok(),
            description: text(3).parse().ok(),
            screenshot: text(4).parse().ok(),
            feed: text(5).parse().ok(),
            tags: Tags::usable([text(6), text(7)]),
        };
        let to = if flags[2] { Pinned::Shown } else { Pinned::Hidden };
        link.pin = flags[0].then(|| Pin { to, note: text(7).parse().ok() });
        for name in INVERSE {
            prop_assert_eq!(read_again(name, std::slice::from_ref(&link), folder.path()), [said(&link)], "{:?}", name);
        }
    }
}

/// Texts that a format may stumble over, among them what means "none" in lists of others.
fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "=1+1",
        "'",
        "''=x",
        "-",
        "+",
        "@",
        "\"",
        "\"\"",
        ",",
        ";",
        "|",
        "\\",
        "\\n",
        ": ",
        "# ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&",
        "*a",
        "!",
        "%",
        "null",
        "none",
        "None",
        "N/A",
        "--",
        "—",
        "无",
        "暂无",
        "true",
        "~",
        "~x",
        "小明",
        "友",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\u{feff}",
        "😀",
        "http://x/",
        "<b>",
        "`",
        "0x1F",
        "1e3",
        " ",
        "a",
    ];
    let piece = prop_oneof![4 => prop::sample::select(pieces).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
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
