//! Markdown: links in lists, in tables and in text, as in an *awesome list* or a page of friends. linkbeat's own
//! `markdown`, too. A page of Hugo, Hexo or Jekyll may have its links in the front matter, above the text.

use std::collections::HashMap;
use std::iter::Peekable;

use super::csv::{self, is_address};
use super::names::{self, Field};
use super::pages::{self, clean};
use super::{Look, Read, html, toml, yaml};
use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

/// What stands before a link of Markdown: of `[name](URL)`, of `<URL>`, and of a bare URL in a list.
const MARKS: [&str; 7] = ["](", "](<", "]: ", "]: <", "<", "* ", "+ "];

/// How a link of HTML begins and ends.
const ANCHOR: &str = "<a ";
const ANCHOR_END: &str = "</a>";
/// The most characters of a label, and of an address with its title.
const MAX_LABEL: usize = 1_024;
const MAX_ADDRESS: usize = 8_192;
/// The most lines of an element of HTML in a page.
const MAX_LINES: usize = 30;
/// A tag of Butterfly that holds a list in YAML.
const FLINK: &str = "{% flink";

/// The first address stands in a link of Markdown, or there is a table.
pub(super) fn fits(look: &Look<'_>) -> bool {
    let has_anchor = || look.text.starts_with('#') && look.text.lines().any(|line| line.starts_with(ANCHOR));
    has_table(look.text)
        || look.text.lines().any(is_tag)
        || has_anchor()
        || (is_marked(look.text) && !csv::has_header(look))
}

/// Whether the text begins with a link, and so with a bracket that is none of JSON's.
pub(super) fn begins_with_link(text: &str) -> bool {
    let text = text.trim_start();
    let inside = text.strip_prefix('[').unwrap_or_default().trim_start();
    let is_link = || link(text).is_some() || text.lines().next().and_then(definition).is_some();
    text.starts_with("[![") || (!inside.starts_with(['"', '{', '[', ']']) && is_link())
}

/// Whether a line is a tag of Butterfly, or a link as [`tag`] reads it.
fn is_tag(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(FLINK) || tag(line, "").is_some()
}

fn is_marked(text: &str) -> bool {
    let first = ["http://", "https://"].into_iter().filter_map(|scheme| text.find(scheme)).min();
    let Some(at) = first else { return false };
    let before = text[..at].rsplit('\n').next().unwrap_or_default();
    // In YAML such a link stands in a value.
    let in_value = before.split_once(": ").is_some_and(|(key, value)| {
        !key.trim_start_matches(['-', ' ']).contains([' ', '[']) && !value.trim_start().starts_with('[')
    });
    let in_json = before.trim_start().starts_with(['{', '"']) || text.trim_start().starts_with(['{', '"']);
    MARKS.iter().any(|mark| before.ends_with(mark)) && !in_value && !in_json
}

fn has_table(text: &str) -> bool {
    let mut lines = text.lines();
    let mut before = lines.next();
    lines.any(|line| {
        let head = before.replace(line);
        is_rule(line) && head.is_some_and(|head| cells(head).len() == cells(line).len())
    })
}

/// The line below the head of a table, such as `| --- | ---: |`.
fn is_rule(line: &str) -> bool {
    line.contains('|') && line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let head = FrontMatter::of(text);
    if let Some(head) = head.as_ref().filter(|head| head.names_list()) {
        return (head.read)(source, head.text);
    }
    let lines_of_head = head.map_or(0, |head| head.text.lines().count() + 1);
    let mut reader = Reader {
        places: Places::of(text),
        lines: text.lines().zip(1..).skip(lines_of_head).peekable(),
        section: String::new(),
        rows: Vec::new(),
        defined: Vec::new(),
    };
    reader.read();
    // What refers to an address says more of it than the line that defines it.
    let rows = reader.rows.into_iter().chain(reader.defined).collect();
    let mut rows = pages::each_once(rows);
    rows.sort_by_key(|row| row.line);
    Ok(Box::new(rows.into_iter()))
}

/// What stands above a page and says something about it.
struct FrontMatter<'a> {
    /// With the first fence, so that its lines count as they do in the page.
    text: &'a str,
    read: Read,
}

impl<'a> FrontMatter<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let fences: [(&str, Read); 2] = [("---", yaml::rows), ("+++", toml::rows)];
        let (fence, read) = fences.into_iter().find(|(fence, _)| text.lines().next() == Some(fence))?;
        let inside = &text[fence.len()..];
        let end = inside.match_indices(&format!("\n{fence}")).map(|(at, _)| at).next()?;
        Some(Self { text: &inside[..end], read })
    }

    /// Whether it holds what lists are called.
    fn names_list(&self) -> bool {
        self.text.lines().any(|line| {
            let name = line.trim_start_matches('[').split([':', ']', ' ']).next().unwrap_or_default();
            !name.is_empty() && names::is_list(name)
        })
    }
}

struct Reader<'a, I: Iterator> {
    lines: Peekable<I>,
    places: Places<'a>,
    /// The heading above.
    section: String,
    rows: Vec<Row>,
    /// Links that a line defines for others.
    defined: Vec<Row>,
}

impl<'a, I: Iterator<Item = (&'a str, usize)>> Reader<'a, I> {
    fn read(&mut self) {
        while let Some((line, number)) = self.lines.next() {
            let line = line.trim();
            let below = self.lines.peek().map_or("", |(line, _)| line);
            if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence)) {
                // Code is no list.
                self.lines.by_ref().find(|(line, _)| line.trim().starts_with(fence));
            } else if line.starts_with(FLINK) {
                self.read_flink(number);
            } else if is_rule(below) && line.contains('|') {
                self.lines.next();
                self.read_table(&cells(line));
            } else if let Some(heading) = line.strip_prefix('#') {
                self.take_line(line, number);
                self.section = section(heading.trim_start_matches('#'));
            } else if line.to_ascii_lowercase().contains(ANCHOR) {
                let block = self.block(line, ends_all);
                self.read_anchors(&block, number);
            } else if is_component(line) {
                let block = self.block(line, |block| block.contains('>'));
                self.take_line(&block.replace('\n', " "), number);
            } else {
                self.take_line(line, number);
            }
        }
    }

    /// This line and those below, up to one where the element of HTML in it ends.
    fn block(&mut self, line: &str, ends: impl Fn(&str) -> bool) -> String {
        let mut block = line.to_owned();
        for _ in 1..MAX_LINES {
            let Some((line, _)) = self.lines.next_if(|_| !ends(&block)) else { break };
            block.push('\n');
            block.push_str(line);
        }
        block
    }

    /// The links in HTML, and the other ones beside them.
    fn read_anchors(&mut self, block: &str, number: usize) {
        let section = self.section.clone();
        let is_whole = ends_all(block);
        let html = if is_whole { block } else { "" };
        let rows = html::rows(&Source::Stdin, html).into_iter().flatten();
        self.rows.extend(rows.map(|mut row| {
            if let Ok(fields) = &mut row.fields
                && fields.group.is_empty()
            {
                fields.group.clone_from(&section);
            }
            Row { line: row.line + number - 1, ..row }
        }));
        let beside = if is_whole { without_anchors(block) } else { block.to_owned() };
        beside.lines().zip(number..).for_each(|(line, number)| self.take_line(line.trim(), number));
    }

    /// The YAML in a tag of Butterfly.
    fn read_flink(&mut self, number: usize) {
        let inside =
            self.lines.by_ref().map(|(line, _)| line).take_while(|line| !line.trim().starts_with("{%"));
        let yaml = inside.collect::<Vec<_>>().join("\n");
        // What is none is passed over, as all text between links is.
        let rows = yaml::rows(&Source::Stdin, &yaml).into_iter().flatten();
        self.rows.extend(rows.map(|row| Row { line: row.line + number, ..row }));
    }

    fn read_table(&mut self, head: &[String]) {
        let is_ours = names::are_ours(head.iter().map(String::as_str));
        let fields: Vec<Option<Field>> = head.iter().map(|cell| names::field(&words(cell))).collect();
        while let Some((line, number)) = self.lines.next_if(|(line, _)| line.contains('|')) {
            let cells = cells(line);
            let found: Vec<Link<'_>> = cells.iter().flat_map(|cell| self.places.links(cell)).collect();
            let group = self.section.clone();
            let mut row = Fields { is_ours, group, ..Fields::default() };
            for (field, cell) in fields.iter().zip(&cells) {
                if let Some(field) = field {
                    names::put(&mut row, *field, self.places.content(cell, names::is_place(*field)));
                }
            }
            let Some(first) = found.into_iter().find(|link| is_address(link.url)) else { continue };
            if row.url.is_empty() {
                first.url.clone_into(&mut row.url);
            }
            if row.name.is_empty() {
                row.name = first.name;
            }
            self.rows.push(Row { line: number, fields: Ok(row) });
        }
    }

    /// The links of a line. What follows the only one of an item says what it is about.
    fn take_line(&mut self, line: &str, number: usize) {
        if is_footnote(line) {
            return;
        }
        if let Some((label, url)) = definition(line) {
            let (name, url, group) = (words(label), url.to_owned(), self.section.clone());
            let fields = Ok(Fields { name, url, group, ..Fields::default() });
            return self.defined.push(Row { line: number, fields });
        }
        if let Some(fields) = tag(line, &self.section) {
            return self.rows.push(Row { line: number, fields: Ok(fields) });
        }
        let found = self.places.links(line);
        let is_alone = found.len() == 1 && is_item(line);
        for link in found {
            let mut fields = Fields {
                name: link.name,
                url: link.url.to_owned(),
                avatar: link.avatar.to_owned(),
                group: self.section.clone(),
                ..Fields::default()
            };
            if is_alone {
                let after = |c: char| c.is_whitespace() || "-–—:：,，.|)）".contains(c);
                fields.description = words(line[link.end..].trim_start_matches(after));
                if fields.name.is_empty() {
                    let before = line[..link.start]
                        .trim_start_matches(|c: char| "-*+. ".contains(c) || c.is_ascii_digit());
                    fields.name = words(before.trim_end_matches(after));
                }
            }
            self.rows.push(Row { line: number, fields: Ok(fields) });
        }
    }
}

/// Whether each anchor has its end.
fn ends_all(block: &str) -> bool {
    let block = block.to_ascii_lowercase();
    block.matches(ANCHOR).count() <= block.matches(ANCHOR_END).count()
}

/// What stands beside the anchors, in the same lines as before.
fn without_anchors(block: &str) -> String {
    let lower = block.to_ascii_lowercase();
    let (mut kept, mut at) = (String::new(), 0);
    while let Some(begin) = lower[at..].find(ANCHOR).map(|found| at + found) {
        kept.push_str(&block[at..begin]);
        at = lower[begin..].find(ANCHOR_END).map_or(block.len(), |end| begin + end + ANCHOR_END.len());
        kept.extend(block[begin..at].chars().filter(|c| *c == '\n'));
    }
    kept + &block[at..]
}

/// Whether a line begins with a component, such as `<Friend`.
fn is_component(line: &str) -> bool {
    line.strip_prefix('<').is_some_and(|name| name.starts_with(char::is_uppercase))
}

/// A link that is written as a shortcode of Hugo or as a component: `{{< friend name="A" url="https://…" >}}`,
/// `<Friend name="A" url="https://…" />`.
fn tag(line: &str, section: &str) -> Option<Fields> {
    let component = is_component(line).then(|| &line[1..]);
    let mut rest = line.strip_prefix("{{").or(component)?;
    let mut fields = Fields { group: section.to_owned(), ..Fields::default() };
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.rsplit(char::is_whitespace).next().unwrap_or_default();
        let Some(quote) = value.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`')) else {
            rest = value;
            continue;
        };
        let (value, after) = value[1..].split_once(quote)?;
        if let Some(field) = names::field(name) {
            names::put(&mut fields, field, clean(value));
        }
        rest = after;
    }
    is_address(&fields.url).then_some(fields)
}

/// A note at the foot of the page.
fn is_footnote(line: &str) -> bool {
    line.starts_with("[^") && line.contains("]:")
}

/// An item of a list.
fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with(['-', '*', '+']) || (number.len() < line.len() && number.starts_with(['.', ')']))
}

/// A heading as the section below it. The line of counts over linkbeat's own report is none.
fn section(heading: &str) -> String {
    if heading.contains(" · ") { String::new() } else { words(heading) }
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().replace("\\|", "&#124;");
    let line = line.strip_prefix('|').unwrap_or(&line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The place of a picture that is written as in HTML.
fn picture(cell: &str) -> Option<&str> {
    let quoted = cell.strip_prefix("<img")?.split_once("src=")?.1;
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    quoted[1..].split(quote).next()
}

/// A link in a line.
struct Link<'a> {
    name: String,
    url: &'a str,
    avatar: &'a str,
    /// Where it begins and ends in the line.
    start: usize,
    end: usize,
}

/// Where the links lead that are written `[name][label]`.
struct Places<'a>(HashMap<String, &'a str>);

impl<'a> Places<'a> {
    fn of(text: &'a str) -> Self {
        let all = text.lines().filter_map(|line| definition(line.trim()));
        Self(all.map(|(label, url)| (label.to_lowercase(), url)).collect())
    }

    /// What a cell of a table holds: the place of its picture, the address or the name of its link, or its text.
    fn content(&self, cell: &str, is_place: bool) -> String {
        if let Some((_, place, _)) = cell.strip_prefix('!').and_then(link) {
            return place.to_owned();
        }
        if let Some(place) = picture(cell).filter(|_| is_place) {
            return place.to_owned();
        }
        let is_whole = |link: &Link<'_>| link.start == 0 && link.end == cell.len();
        match self.links(cell).into_iter().find(is_whole) {
            Some(link) if is_place || link.name.is_empty() || is_address(&link.name) => link.url.to_owned(),
            Some(link) => link.name,
            None => words(cell),
        }
    }

    /// The links of a line that have a whole address.
    fn links<'l>(&self, line: &'l str) -> Vec<Link<'l>>
    where
        'a: 'l,
    {
        let mut found = Vec::new();
        let mut start = 0;
        while let Some(rest) = line.get(start..).filter(|rest| !rest.is_empty()) {
            let (link, length) = match self.referring(rest) {
                Some((name, url, length)) => {
                    (Some(Link { name, url, avatar: "", start, end: start + length }), length)
                }
                None => match rest.strip_prefix('!').and_then(|picture| self.referring(picture)) {
                    Some((_, _, length)) => (None, length + 1),
                    None => first_link(rest, start),
                },
            };
            found.extend(link.filter(|link| is_address(link.url)));
            start += length;
        }
        found
    }

    /// The link that the text begins with, if its address stands elsewhere: `[name][label]`, `[name][]` or `[name]`.
    fn referring(&self, text: &str) -> Option<(String, &'a str, usize)> {
        let end = closing(text, ('[', ']'), MAX_LABEL)? + 1;
        let (name, after) = (&text[1..end - 1], &text[end..]);
        if after.starts_with('(') {
            return None;
        }
        let second = closing(after, ('[', ']'), MAX_LABEL).map(|end| &after[1..end]);
        let label = second.filter(|label| !label.is_empty()).unwrap_or(name);
        let url = self.0.get(&label.to_lowercase())?;
        Some((words(name), url, end + second.map_or(0, |label| label.len() + 2)))
    }
}

/// The label and the address of a line that only says where links lead: `[label]: address "title"`.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (label, url) = line.strip_prefix('[')?.split_once("]:")?;
    let url = url.split_whitespace().next()?.trim_matches(['<', '>']);
    (!label.starts_with('^') && is_address(url)).then_some((label, url))
}

/// The link that `rest` begins with, if it does, and how long what it begins with is.
fn first_link(rest: &str, start: usize) -> (Option<Link<'_>>, usize) {
    let link_to = |name: String, url, avatar, length| {
        (Some(Link { name, url, avatar, start, end: start + length }), length)
    };
    if let Some((_, _, length)) = rest.strip_prefix('!').and_then(link) {
        return (None, 1 + length);
    }
    if let Some((label, url, length)) = link(rest) {
        let picture = label.find("![").and_then(|at| Some((at, link(&label[at + 1..])?)));
        let Some((at, (alt, avatar, end))) = picture else { return link_to(words(label), url, "", length) };
        let around = words(&format!("{} {}", &label[..at], &label[at + 1 + end..]));
        return link_to(if around.is_empty() { words(alt) } else { around }, url, avatar, length);
    }
    if let Some(url) =
        rest.strip_prefix('<').filter(|url| is_address(url)).and_then(|url| url.split('>').next())
    {
        return link_to(String::new(), url, "", (url.len() + 2).min(rest.len()));
    }
    if is_address(rest) {
        let ends = |c: char| c.is_whitespace() || "<>|\"'`)，。）、；".contains(c);
        let url = rest.split(ends).next().unwrap_or_default().trim_end_matches(['.', ',', ';', '*']);
        return link_to(String::new(), url, "", url.len());
    }
    (None, rest.chars().next().map_or(1, char::len_utf8))
}

/// The label and the address of a link at the beginning of the text, and how long it is: `[label](address "title")`.
fn link(text: &str) -> Option<(&str, &str, usize)> {
    let label_end = closing(text, ('[', ']'), MAX_LABEL)?;
    let place = text[label_end + 1..].strip_prefix('(').map(|_| &text[label_end + 1..])?;
    let end = closing(place, ('(', ')'), MAX_ADDRESS)?;
    let inside = place[1..end].trim();
    let address = match inside.strip_prefix('<').and_then(|address| address.split_once('>')) {
        Some((address, _)) => address,
        None => inside.split_whitespace().next().unwrap_or_default(),
    };
    Some((&text[1..label_end], address, label_end + 1 + end + 1))
}

/// Where the bracket is closed with which the text begins, if it is so near.
fn closing(text: &str, (open, close): (char, char), most: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (at, c) in text.char_indices().take(most) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == open => depth += 1,
            c if c == close && depth == 1 => return Some(at),
            c if c == close => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}

/// The text without marks for emphasis and code.
fn words(text: &str) -> String {
    clean(&text.replace("**", "").replace("__", "").replace(['*', '`', '\\'], ""))
}
