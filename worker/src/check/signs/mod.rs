//! Signs of a lost friend: domains that were sold, parked or turned into something else. They are notes and never
//! verdicts.

mod domain;
mod language;
mod parked;
mod scripted;
mod title;

use linkbeat_shared::{Details, LinkUrl, Note};
use url::Url;

use crate::fetch::{Answer, Page};

/// Adds to the details what an accepted answer shows, of a check that began at `start`.
pub(crate) fn add(details: &mut Details, start: &LinkUrl, answer: &Answer) {
    let outline = &answer.outline;
    // Where the page sends its visitors on by itself, that is where they end.
    let onward = outline.refresh.as_ref().and_then(|refresh| answer.url.join(&refresh.url).ok());
    let last = onward.as_ref().unwrap_or(&answer.url);
    let passed: Vec<_> = details.redirects.iter().filter_map(|url| Url::parse(url).ok()).collect();
    let hosts = passed.iter().filter_map(Url::host_str).chain([last.host()]);
    let hosts = hosts.filter(|host| *host != start.host());
    let seen = [
        (domain::moved(start.host(), last.host()), Note::MovedDomain),
        (parked::is_parked(hosts, outline), Note::Parked),
        (matches!(answer.page, Page::NoBacklink { .. }) && scripted::is_scripted(outline), Note::Scripted),
    ];
    details.notes.extend(seen.into_iter().filter_map(|(seen, note)| seen.then_some(note)));
    details.title = outline.title.as_deref().and_then(title::cleaned).map(String::into_boxed_str);
    details.language = language::of(outline).map(String::into_boxed_str);
}
