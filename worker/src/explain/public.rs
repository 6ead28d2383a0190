//! URLs in headers, without user names and passwords.

use url::Url;

/// What a redirect without a scheme is read against.
const BASE: &str = "https://base.invalid/";

/// Where a redirect leads. It may name a user and a password, also without a scheme: `//user:pw@host/`.
pub(super) fn without_user(location: &str) -> String {
    let absolute = Url::parse(location);
    let relative = |_| Url::parse(BASE).and_then(|base| base.join(location));
    let is_absolute = absolute.is_ok();
    match absolute.or_else(relative) {
        Ok(mut url) if has_user(&url) => {
            // Both can only fail for URLs without a host.
            let _ = (url.set_username(""), url.set_password(None));
            if is_absolute { url.into() } else { url.as_str().trim_start_matches("https:").to_owned() }
        }
        Ok(_) => location.to_owned(),
        // Nobody follows it. Whatever stands before an @ may be a password.
        Err(_) => location.rsplit_once('@').map_or(location, |(_, rest)| rest).to_owned(),
    }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The same of `Refresh: 0; url=https://user:pw@host/`.
pub(super) fn refresh_without_user(refresh: &str) -> String {
    let Some((seconds, url)) = refresh.split_once([';', ',']) else { return refresh.to_owned() };
    let lower = url.to_ascii_lowercase();
    // Only where it stands first: a URL may hold the same letters.
    let named = lower.trim_start().strip_prefix("url").map(str::trim_start);
    let named = named.and_then(|rest| rest.strip_prefix('='));
    let start = named.map_or(0, |rest| lower.len() - rest.len());
    let (name, url) = url.split_at(start);
    let url = url.trim().trim_matches(['"', '\'']);
    format!("{seconds};{name}{}", without_user(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_redirect_tells_a_password() {
        for (location, told) in [
            ("https://a.example/x?y#z", "https://a.example/x?y#z"),
            ("/next?mail=a@b", "/next?mail=a@b"),
            ("next", "next"),
            ("//a.example/x", "//a.example/x"),
            ("https://me:s3cret@a.example/x", "https://a.example/x"),
            ("https://s3cret@a.example/x", "https://a.example/x"),
            ("//me:s3cret@a.example/x?y", "//a.example/x?y"),
            (" //me:s3cret@a.example/", "//a.example/"),
            ("/\\me:s3cret@a.example/", "//a.example/"),
            ("\\\\me:s3cret@a.example/", "//a.example/"),
            ("http:/me:s3cret@a.example/", "http://a.example/"),
            ("//me:s3cret@[bad/", "[bad/"),
            ("http://me:s3cret@a.example:99999/", "a.example:99999/"),
        ] {
            assert_eq!(without_user(location), told, "{location}");
        }
    }

    #[test]
    fn no_refresh_tells_a_password() {
        for (refresh, told) in [
            ("5", "5"),
            ("0; url=https://a.example/", "0; url=https://a.example/"),
            ("0; URL = '//me:s3cret@a.example/'", "0; URL =//a.example/"),
            ("0;url=https://me:s3cret@a.example/x", "0;url=https://a.example/x"),
            ("0, https://me:s3cret@a.example/x", "0;https://a.example/x"),
            ("0; https://me:s3cret@a.example/?url=x", "0;https://a.example/?url=x"),
            ("0; https://me:s3cret@curl.example/?a=b", "0;https://curl.example/?a=b"),
        ] {
            assert_eq!(refresh_without_user(refresh), told, "{refresh}");
        }
    }
}
