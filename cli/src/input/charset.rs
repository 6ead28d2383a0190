//! Encodings of texts that are neither UTF-8 nor UTF-16: those of Chinese and Japanese systems.

use encoding_rs::{BIG5, Encoding, GB18030, SHIFT_JIS};

/// The encoding of a text. A text of one of them can mostly be read in the others too, as something else: so what is frequent
/// in one and hardly ever stands in another decides. Otherwise it is GB18030.
pub(super) fn of(bytes: &[u8]) -> &'static Encoding {
    let can_be = |encoding: &'static Encoding| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some()
    };
    let pairs = Pairs::of(bytes);
    if pairs.kana > 0 && pairs.kana * 4 >= pairs.all && can_be(SHIFT_JIS) {
        SHIFT_JIS
    } else if pairs.low > 0 && pairs.low * 4 >= pairs.all && can_be(BIG5) {
        BIG5
    } else {
        GB18030
    }
}

/// Characters of two bytes.
#[derive(Default)]
struct Pairs {
    all: usize,
    /// Those that are hiragana or katakana in Shift JIS. In GBK they are rare characters.
    kana: usize,
    /// Those whose first byte is that of a frequent character, and whose second one is a byte of ASCII. So are four of ten in
    /// Big5, and hardly any in GBK.
    low: usize,
}

impl Pairs {
    fn of(bytes: &[u8]) -> Self {
        let mut pairs = Self { all: 0, ..Self::default() };
        let mut rest = bytes;
        while let [first, after @ ..] = rest {
            rest = after;
            if first.is_ascii() {
                continue;
            }
            let [second, after @ ..] = after else { break };
            rest = after;
            pairs.all += 1;
            pairs.kana += usize::from(matches!((first, second), (0x82, 0x9f..=0xf1) | (0x83, 0x40..=0x96)));
            pairs.low += usize::from(matches!((first, second), (0xa1..=0xc9, 0x40..=0x7e)));
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_by_what_is_frequent_in_them() {
        let simplified = "名称,链接,描述\n友人的博客,https://a.example/,写代码，记录生活\n";
        let traditional = "網站名稱,網址,描述\n朋友的部落格,https://a.example/,寫程式，記錄生活\n";
        let japanese = "サイト名,URL,説明\n友だちのブログ,https://a.example/,プログラミングと日々のこと\n";
        for (text, encoding) in [(simplified, GB18030), (traditional, BIG5), (japanese, SHIFT_JIS)] {
            let (bytes, used, _) = encoding.encode(text);
            assert_eq!((of(&bytes), used), (encoding, encoding), "{text}");
        }
        for bytes in [&b""[..], b"a", b"\xff", b"a\x82"] {
            of(bytes);
        }
    }
}
