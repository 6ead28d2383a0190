//! A piece of HTML, `links.html`, for pages that take it in as it is. It has classes and no styles.

use std::fmt::Write;

use super::entries::{Entries, Entry};
use super::escape::html;
use super::wanted::Wanted;

pub(super) fn made(entries: &Entries, wanted: &Wanted) -> String {
    let mut out = String::from("<div class=\"linkbeat\">\n");
    let shown = entries.links.iter().filter(|link| link.hidden.is_none());
    for (name, links) in entries.by_group(shown) {
        section(&mut out, name, &links, "linkbeat-group");
    }
    let hidden: Vec<&Entry> = entries.links.iter().filter(|link| link.hidden.is_some()).collect();
    if !hidden.is_empty() {
        section(
            &mut out,
            Some(wanted.say("Out of reach", "失联")),
            &hidden,
            "linkbeat-group linkbeat-hidden",
        );
    }
    out + "</div>\n"
}

fn section(out: &mut String, name: Option<&str>, links: &[&Entry], class: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "<section class=\"{class}\">");
    if let Some(name) = name {
        let _ = writeln!(out, "<h2>{}</h2>", html(name));
    }
    *out += "<ul>\n";
    for link in links {
        item(out, link);
    }
    *out += "</ul>\n</section>\n";
}

fn item(out: &mut String, link: &Entry) {
    let _ = write!(out, "<li><a href=\"{}\" rel=\"noopener\">", html(&link.url));
    if let Some(avatar) = &link.avatar {
        let _ = write!(
            out,
            "<img src=\"{}\" alt=\"\" width=\"48\" height=\"48\" loading=\"lazy\" referrerpolicy=\"no-referrer\">",
            html(avatar)
        );
    }
    let _ = write!(out, "<bdi>{}</bdi></a>", html(&link.name));
    if let Some(text) = link.hidden.as_ref().or(link.description.as_ref()) {
        let _ = write!(out, " <span><bdi>{}</bdi></span>", html(text));
    }
    *out += "</li>\n";
}
