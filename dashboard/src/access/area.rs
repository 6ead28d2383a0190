//! Parts of the dashboard, by their paths. They differ in who may come in, and in how a refusal is told.

use super::refusal::Refusal;

/// A part of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    /// For programs: problems are JSON.
    Api,
    /// What anybody may have: the login, styles, the description of the API.
    Public,
    /// For blogs.
    Feed,
    /// For people.
    Page,
}

/// What anybody may have. A choice of language or theme changes a cookie alone.
const PUBLIC: [&str; 6] =
    ["/login", "/logout", "/preferences", "/favicon.ico", "/api/v1/", "/api/v1/openapi.json"];

impl Area {
    /// The part to which this path belongs. It has no base path.
    pub(super) fn of(path: &str) -> Self {
        let is_below = |above: &str| {
            path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if PUBLIC.contains(&path) || is_below("/assets") {
            Self::Public
        } else if is_below("/api") {
            Self::Api
        } else if is_below("/feed") {
            Self::Feed
        } else {
            Self::Page
        }
    }

    /// Tells a refusal as whoever comes here reads it.
    pub(super) fn tell(self, refusal: Refusal) -> axum::response::Response {
        match self {
            Self::Api => refusal.as_problem(),
            Self::Public | Self::Feed | Self::Page => refusal.as_text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_one_part() {
        for (path, area) in [
            ("/", Area::Page),
            ("/links", Area::Page),
            ("/loginx", Area::Page),
            ("/login", Area::Public),
            ("/assets/a.css", Area::Public),
            ("/api/v1/links", Area::Api),
            ("/api/v1", Area::Api),
            ("/api/v1/", Area::Public),
            ("/feed/atom.xml", Area::Feed),
            ("/feeds", Area::Page),
        ] {
            assert_eq!(Area::of(path), area, "{path}");
        }
    }
}
