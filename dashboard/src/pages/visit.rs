//! Who looks at a page, and how: the language, the theme, and where they are.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use linkbeat_shared::{Lang, RequestId};

use super::assets;
use super::wording::{Texts, preferred};
use crate::access::Caller;
use crate::serve::App;
use crate::settings::BasePath;

/// The cookie that keeps the language.
pub(super) const LANG: &str = "linkbeat_lang";
/// The cookie that keeps the theme.
pub(super) const THEME: &str = "linkbeat_theme";

/// One look at a page. Every template has it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The texts of the language.
    pub(crate) t: &'static Texts,
    /// The language.
    pub(crate) lang: Lang,
    pub(super) theme: Theme,
    /// The path and the query of this page, without the base path.
    pub(super) here: String,
    /// When the page was made.
    pub(crate) now: DateTime<Utc>,
    /// Whether the visitor has logged in.
    pub(super) is_logged_in: bool,
    base: BasePath,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the visitor's system has it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl FromStr for Theme {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text).ok_or(())
    }
}

impl Visit {
    /// A look at `here` by somebody who sent these headers.
    pub(super) fn new(base: &BasePath, headers: &HeaderMap, here: &str) -> Self {
        let lang = cookie(headers, LANG).and_then(|lang| lang.parse().ok());
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let lang = lang.unwrap_or_else(|| accepted.map(preferred).unwrap_or_default());
        let theme = cookie(headers, THEME).and_then(|theme| theme.parse().ok()).unwrap_or_default();
        Self { theme, here: here.to_owned(), ..Self::in_language(base, lang) }
    }

    /// A look by nobody in particular: for parts of pages that are made once for all who look.
    pub(crate) fn in_language(base: &BasePath, lang: Lang) -> Self {
        let (theme, now) = (Theme::default(), Utc::now());
        Self {
            t: Texts::of(lang),
            lang,
            theme,
            here: "/".to_owned(),
            now,
            is_logged_in: false,
            base: base.clone(),
        }
    }

    /// The address of a page.
    pub(crate) fn to(&self, path: &str) -> String {
        self.base.join(path)
    }

    /// The address of a style sheet or script. It changes with what is in it.
    pub(super) fn asset(&self, name: &str) -> String {
        self.base.join(&assets::path(name))
    }

    /// What `aria-current` says of a place in the navigation.
    pub(super) fn current(&self, path: &str) -> &'static str {
        let page = self.here.split('?').next().unwrap_or_default();
        let is_below = path != "/" && page.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        match page == path {
            true => "page",
            false if is_below => "true",
            false => "false",
        }
    }

    /// Names what a form of this page asks for, so that it is done once.
    pub(super) fn request_id(&self) -> RequestId {
        RequestId::new()
    }

    /// The code of the language for `lang`.
    pub(super) fn lang_code(&self) -> &'static str {
        match self.lang {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        }
    }

    pub(super) fn is_lang(&self, lang: &str) -> bool {
        self.lang.to_string() == lang
    }
}

impl<S: Sync> FromRequestParts<S> for Visit
where
    App: FromRef<S>,
    S: Send,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str());
        let visit = Self::new(&App::from_ref(state).settings.base_path, &parts.headers, here);
        let is_logged_in = parts.extensions.get::<Caller>().is_some_and(|caller| caller.has_session());
        Ok(Self { is_logged_in, ..visit })
    }
}

/// The value of a cookie (RFC 6265 §5.4).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(headers: &[(&'static str, &'static str)], here: &str) -> Visit {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Visit::new(&"/x/y".parse().unwrap(), &pairs.collect(), here)
    }

    #[test]
    fn a_choice_counts_more_than_what_the_browser_asks_for() {
        let accept = ("accept-language", "zh-CN,zh;q=0.9");
        assert_eq!(visit(&[accept], "/").lang, Lang::Zh);
        let chosen = visit(&[accept, ("cookie", "a=b; linkbeat_lang=en; linkbeat_theme=dark")], "/");
        assert_eq!((chosen.lang, chosen.theme), (Lang::En, Theme::Dark));
        let nonsense = visit(&[("cookie", "linkbeat_lang=xx; linkbeat_theme=pink; linkbeat_langx=zh")], "/");
        assert_eq!((nonsense.lang, nonsense.theme), (Lang::En, Theme::Auto));
    }

    #[test]
    fn a_place_is_current_on_its_page_and_below() {
        let visit = visit(&[], "/runs/0198?x=1");
        assert_eq!(
            (visit.current("/runs"), visit.current("/"), visit.current("/run")),
            ("true", "false", "false")
        );
        assert_eq!(visit.to("/runs"), "/x/y/runs");
    }
}
