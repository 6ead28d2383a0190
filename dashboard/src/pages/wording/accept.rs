use linkbeat_shared::Lang;

/// The language that a browser likes most of those that linkbeat speaks (RFC 9110 §12.5.4). Of two that it likes the same,
/// the first counts.
pub(crate) fn preferred(accept_language: &str) -> Lang {
    let mut best: Option<(Lang, f32)> = None;
    for range in accept_language.split(',').take(50) {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
        let lang = if tag == "*" { Ok(Lang::default()) } else { tag.parse::<Lang>() };
        if let (Ok(lang), Some(weight)) = (lang, weight)
            && weight > best.map_or(0.0, |(_, weight)| weight)
        {
            best = Some((lang, weight));
        }
    }
    best.map_or_else(Lang::default, |(lang, _)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_counts_and_not_the_place() {
        for (accept, lang) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("en;q=0.1, zh;q=0.2", Lang::Zh),
            ("zh;q=0.1, en", Lang::En),
            ("de, fr;q=0.9, zh-Hant-TW;q=0.3", Lang::Zh),
            ("zh;q=0, de", Lang::En),
            ("en, zh", Lang::En),
            ("*", Lang::En),
            ("zh;q=x", Lang::En),
            ("", Lang::En),
            (";;,,q=1", Lang::En),
        ] {
            assert_eq!(preferred(accept), lang, "{accept}");
        }
    }
}
