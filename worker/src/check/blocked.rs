//! What counts as an anti-bot wall or a rate limit. Such an answer says nothing about the page.
//!
//! The table holds only marks that the wall documents or always sends. A plain 403 is the site's own answer.

use reqwest::header::HeaderMap;

/// How a wall shows itself.
struct Wall {
    /// Who answers.
    name: &'static str,
    /// The status, where only that one is a wall.
    status: Option<u16>,
    /// A header, and what its value begins with.
    header: Option<(&'static str, &'static str)>,
}

const WALLS: [Wall; 9] = [
    // RFC 6585 §4.
    Wall { name: "rate limit", status: Some(429), header: None },
    // Not a registered status; LinkedIn answers it to what it takes for a robot.
    Wall { name: "LinkedIn", status: Some(999), header: None },
    // developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
    Wall { name: "Cloudflare", status: None, header: Some(("cf-mitigated", "challenge")) },
    Wall { name: "Cloudflare, forbidden", status: Some(403), header: Some(("cf-mitigated", "")) },
    // docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-how-it-works.html
    Wall { name: "AWS WAF challenge", status: Some(202), header: Some(("x-amzn-waf-action", "challenge")) },
    Wall { name: "AWS WAF captcha", status: Some(405), header: Some(("x-amzn-waf-action", "captcha")) },
    // vercel.com/docs/headers/response-headers
    Wall { name: "Vercel", status: Some(403), header: Some(("x-vercel-mitigated", "")) },
    Wall { name: "DataDome", status: Some(403), header: Some(("x-datadome", "")) },
    Wall { name: "Sucuri", status: Some(403), header: Some(("x-sucuri-block", "")) },
];

/// The name of the wall that answered, if one did.
pub(crate) fn wall(status: u16, headers: &HeaderMap) -> Option<&'static str> {
    WALLS.iter().find(|wall| wall.answers(status, headers)).map(|wall| wall.name)
}

impl Wall {
    fn answers(&self, status: u16, headers: &HeaderMap) -> bool {
        self.status.is_none_or(|only| only == status)
            && self.header.is_none_or(|(name, value)| {
                headers.get(name).is_some_and(|found| found.as_bytes().starts_with(value.as_bytes()))
            })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn every_wall_is_known_by_its_own_marks_and_no_plain_error_is_one() {
        for row in &WALLS {
            let marks: Vec<_> = row.header.into_iter().collect();
            assert!(wall(row.status.unwrap_or(503), &headers(&marks)).is_some(), "{}", row.name);
        }
        assert_eq!(wall(503, &headers(&[("cf-mitigated", "challenge")])), Some("Cloudflare"));
        for status in [200, 403, 404, 500, 503] {
            assert_eq!(wall(status, &headers(&[("server", "cloudflare")])), None, "{status}");
        }
    }
}
