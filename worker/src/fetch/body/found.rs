//! Where a page has the backlink.

/// Where the backlink was found; the better one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// Only in links that search engines are told not to count.
    Nofollow,
    /// In a link that counts, or where there is no link at all.
    Followed,
}
