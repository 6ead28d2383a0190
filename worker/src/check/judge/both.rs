//! One verdict from two pages: the link's own, and the one on which the backlink must stand.

use linkbeat_shared::{Details, FailedPage, Verdict};

use super::Judgement;

/// The verdict on a link whose home page and links page were both judged.
///
/// The link is up only if both are. Where one failed, everything that is told of the answer is told of that one.
/// Where both failed, the graver verdict decides, and the home page's if they are alike. Where both passed, the home
/// page's answer is told. Notes are those of both, title and language the home page's.
pub(crate) fn both(home: Judgement, links_page: Judgement) -> Judgement {
    let failed = match (home.verdict == Verdict::Up, links_page.verdict == Verdict::Up) {
        (true, true) => None,
        (false, true) => Some(FailedPage::Home),
        (true, false) => Some(FailedPage::LinksPage),
        (false, false) => Some(FailedPage::Both),
    };
    let notes = &home.details.notes | &links_page.details.notes;
    let (title, language) = (home.details.title.clone(), home.details.language.clone());
    let (told, other) = if gravity(links_page.verdict) > gravity(home.verdict) {
        (links_page, home)
    } else {
        (home, links_page)
    };
    let certificate = told.details.certificate.or(other.details.certificate);
    let details = Details { failed, redirects: told.details.redirects, certificate, notes, title, language };
    Judgement { details, ..Judgement { details: Details::default(), ..told } }
}

/// The verdict where the links page took all the time, so that nothing is known of the home page.
pub(crate) fn links_page_alone(links_page: Judgement) -> Judgement {
    let failed = (links_page.verdict != Verdict::Up).then_some(FailedPage::LinksPage);
    let seen = links_page.details.clone();
    let details = Details { failed, title: None, language: None, ..seen };
    Judgement { details, ..Judgement { details: Details::default(), ..links_page } }
}

/// A dead page is graver than one that we would not fetch, and that graver than a page without the backlink. A wall
/// says nothing of the page behind it.
fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Up => 0,
        Verdict::Blocked => 1,
        Verdict::NoBacklink => 2,
        Verdict::Refused => 3,
        Verdict::Down => 4,
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::{Note, Reason};

    use super::*;

    fn judged(verdict: Verdict, code: u16) -> Judgement {
        let reason = (verdict != Verdict::Up).then_some(Reason::Status { code });
        let details = Details {
            title: Some(code.to_string().into()),
            redirects: vec![format!("http://{code}.example/")],
            ..Details::default()
        };
        Judgement { verdict, reason, status: Some(code), details, phases: None }
    }

    #[test]
    fn the_graver_page_is_told_and_named() {
        use Verdict::{Blocked, Down, NoBacklink, Refused, Up};
        for (home, links_page, verdict, told, failed) in [
            (Up, Up, Up, 1, None),
            (Down, Up, Down, 1, Some(FailedPage::Home)),
            (Up, Down, Down, 2, Some(FailedPage::LinksPage)),
            (Up, NoBacklink, NoBacklink, 2, Some(FailedPage::LinksPage)),
            (Blocked, Up, Blocked, 1, Some(FailedPage::Home)),
            (Down, Down, Down, 1, Some(FailedPage::Both)),
            (Down, NoBacklink, Down, 1, Some(FailedPage::Both)),
            (Blocked, NoBacklink, NoBacklink, 2, Some(FailedPage::Both)),
            (Blocked, Down, Down, 2, Some(FailedPage::Both)),
            (Refused, NoBacklink, Refused, 1, Some(FailedPage::Both)),
        ] {
            let found = both(judged(home, 1), judged(links_page, 2));
            assert_eq!((found.verdict, found.status, found.details.failed), (verdict, Some(told), failed));
            assert_eq!(found.details.redirects, [format!("http://{told}.example/")]);
            assert_eq!(found.details.title.as_deref(), Some("1"), "the home page's");
        }
    }

    #[test]
    fn the_notes_of_both_are_kept() {
        let (mut home, mut links_page) = (judged(Verdict::Up, 1), judged(Verdict::NoBacklink, 2));
        home.details.notes.insert(Note::Parked);
        links_page.details.notes.insert(Note::Scripted);
        let found = both(home, links_page);
        assert_eq!(found.details.notes, [Note::Parked, Note::Scripted].into());
    }
}
