//! The literals of JavaScript as JSON.

use std::iter::Peekable;
use std::str::CharIndices;

/// How deep they may go.
const MAX_DEPTH: usize = 64;

/// The text from its first word on.
pub(super) fn without_comments_before(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let end = if text.starts_with("//") {
            text.find('\n')
        } else if text.starts_with("/*") {
            text.find("*/").map(|at| at + 2)
        } else {
            return text;
        };
        text = end.map_or("", |end| &text[end..]).trim_start();
    }
}

/// The outermost arrays and objects of a script, each with the line it begins in.
pub(super) struct Literals<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    line: usize,
    /// The one that is being written.
    json: String,
}

/// The script ends in the middle of a literal.
struct Ended;

/// What follows a value, up to the next one.
enum Tail {
    Nothing,
    /// A type, such as `as const`.
    Type,
    /// Something is done with the value.
    More,
}

impl<'a> Literals<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, chars: text.char_indices().peekable(), line: 1, json: String::new() }
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn rest(&mut self) -> &'a str {
        self.chars.peek().map_or("", |(at, _)| &self.text[*at..])
    }

    /// The next character. A line break is written, too, so that lines stay what they are.
    fn bump(&mut self) -> Option<char> {
        let (_, c) = self.chars.next()?;
        if c == '\n' {
            self.line += 1;
            self.json.push('\n');
        }
        Some(c)
    }

    fn bump_while(&mut self, goes_on: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&goes_on) {
            self.bump();
        }
    }

    /// Passes what comes next.
    fn bump_over(&mut self, next: &str) {
        for _ in next.chars() {
            self.bump();
        }
    }

    /// Passes white space and comments. The next character, if there is one.
    fn next_word(&mut self) -> Option<char> {
        loop {
            self.bump_while(char::is_whitespace);
            let rest = self.rest();
            if rest.starts_with("//") {
                self.bump_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                let length = rest.find("*/").map_or(rest.len(), |at| at + 2);
                self.bump_over(&rest[..length]);
            } else {
                return self.peek();
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Ended> {
        let begins_at = self.json.len();
        let first = self.next_word().ok_or(Ended)?;
        let is_container = matches!(first, '[' | '{') && depth < MAX_DEPTH;
        match first {
            '[' if is_container => self.array(depth)?,
            '{' if is_container => self.object(depth)?,
            '"' | '\'' | '`' => match self.string() {
                Some(text) => self.json.push_str(&serde_json::Value::from(text).to_string()),
                None => self.json.push_str("null"),
            },
            _ => {
                let rest = self.rest();
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '-' | '+');
                let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
                self.bump_over(word);
                let is_plain = matches!(word, "true" | "false") || word.parse::<serde_json::Number>().is_ok();
                self.json.push_str(if is_plain { word } else { "null" });
            }
        }
        if matches!(self.tail()?, Tail::More) && !is_container {
            self.forget(begins_at);
        }
        Ok(())
    }

    /// What was written since is no plain value.
    fn forget(&mut self, begins_at: usize) {
        let lines = self.json[begins_at..].matches('\n').count();
        self.json.truncate(begins_at);
        self.json.push_str("null");
        self.json.push_str(&"\n".repeat(lines));
    }

    fn array(&mut self, depth: usize) -> Result<(), Ended> {
        self.bump();
        self.json.push('[');
        let mut is_first = true;
        loop {
            match self.next_word().ok_or(Ended)? {
                ']' => break,
                ',' | ';' => drop(self.bump()),
                '}' | ')' => return Err(Ended),
                '.' if self.rest().starts_with("...") => {
                    self.tail()?;
                }
                _ => {
                    self.separate(&mut is_first);
                    self.value(depth + 1)?;
                }
            }
        }
        self.bump();
        self.json.push(']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Ended> {
        self.bump();
        self.json.push('{');
        let mut is_first = true;
        loop {
            match self.next_word().ok_or(Ended)? {
                '}' => break,
                ',' | ';' => drop(self.bump()),
                ']' | ')' => return Err(Ended),
                _ => {
                    if let Some(key) = self.key()? {
                        self.separate(&mut is_first);
                        self.json.push_str(&serde_json::Value::from(key).to_string());
                        self.json.push(':');
                        self.value(depth + 1)?;
                    }
                }
            }
        }
        self.bump();
        self.json.push('}');
        Ok(())
    }

    /// The key of a member, and its colon. `None` if the member has another form, such as that of a function.
    fn key(&mut self) -> Result<Option<String>, Ended> {
        let key = match self.peek() {
            Some('"' | '\'') => self.string(),
            _ => {
                let rest = self.rest();
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
                let key = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
                self.bump_over(key);
                (!key.is_empty()).then(|| key.to_owned())
            }
        };
        if self.next_word() == Some(':') && key.is_some() {
            self.bump();
            return Ok(key);
        }
        self.tail()?;
        Ok(None)
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.json.push(',');
        }
    }

    /// A string. `None` if something is filled into it, or if it never ends.
    fn string(&mut self) -> Option<String> {
        let quote = self.bump()?;
        let (mut text, mut is_plain) = (String::new(), true);
        loop {
            match self.peek()? {
                c if c == quote => break,
                '\n' if quote != '`' => return None,
                '\\' => {
                    self.bump();
                    text.extend(self.escaped());
                }
                '$' if quote == '`' && self.rest().starts_with("${") => {
                    is_plain = false;
                    self.bump();
                }
                c => {
                    self.bump();
                    text.push(c);
                }
            }
        }
        self.bump();
        is_plain.then_some(text)
    }

    /// What a backslash and the characters behind it stand for.
    fn escaped(&mut self) -> Option<char> {
        match self.bump()? {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' | 'b' | 'f' | 'v' | '0' => Some(' '),
            '\n' => None,
            'x' => self.hexadecimal(2),
            'u' if self.peek() == Some('{') => {
                self.bump();
                let digits = self.rest().bytes().take(8).position(|byte| byte == b'}')?;
                let found = self.hexadecimal(digits)?;
                self.bump();
                Some(found)
            }
            'u' => match self.number(4)? {
                // Half of a pair: the other half follows.
                high @ 0xd800..0xdc00 if self.rest().starts_with("\\u") => {
                    self.bump();
                    self.bump();
                    let low = self.number(4)?;
                    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff))
                }
                number => char::from_u32(number),
            },
            c => Some(c),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        self.number(digits).and_then(char::from_u32)
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest().get(..digits)?;
        let number = u32::from_str_radix(text, 16).ok()?;
        self.bump_over(text);
        Some(number)
    }

    /// Passes what follows a value, up to a comma or to the end of what it stands in.
    fn tail(&mut self) -> Result<Tail, Ended> {
        let mut tail = Tail::Nothing;
        loop {
            let next = self.next_word().ok_or(Ended)?;
            if matches!(next, ',' | ';' | ']' | '}' | ')') {
                return Ok(tail);
            }
            tail = match tail {
                Tail::Nothing if next.is_alphabetic() || next == '!' => Tail::Type,
                Tail::Nothing => Tail::More,
                tail => tail,
            };
            self.pass(next)?;
        }
    }

    /// Passes a word, a string, or all that stands in brackets.
    fn pass(&mut self, next: char) -> Result<(), Ended> {
        let mut open = 0_usize;
        let mut next = Some(next);
        loop {
            match next.ok_or(Ended)? {
                '"' | '\'' | '`' => drop(self.string()),
                '(' | '[' | '{' => {
                    open += 1;
                    self.bump();
                }
                ')' | ']' | '}' => {
                    open = open.saturating_sub(1);
                    self.bump();
                }
                _ => drop(self.bump()),
            }
            if open == 0 {
                return Ok(());
            }
            next = self.next_word();
        }
    }
}

impl Iterator for Literals<'_> {
    type Item = (usize, String);

    fn next(&mut self) -> Option<(usize, String)> {
        loop {
            let next = self.next_word()?;
            self.json.clear();
            let line = self.line;
            let written = match next {
                '[' => self.array(0),
                '{' => self.object(0),
                '"' | '\'' | '`' => {
                    self.string();
                    continue;
                }
                _ => {
                    self.bump();
                    continue;
                }
            };
            if written.is_ok() {
                return Some((line, std::mem::take(&mut self.json)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(script: &str) -> Vec<String> {
        Literals::of(script).map(|(_, json)| json).collect()
    }

    #[test]
    fn plain_values_are_kept_and_all_else_is_null() {
        let script = r#"export default [{ name: 'it\'s \u53cb\x41\u{1F600}\uD83D\uDE00', "b": "x" as const, n: -1.5e3, t: true,
            u: a.b, c: "x" + y, d: `t`, e: `t${x}`, f: [1,,2,...more], g() { return "}" }, h, 'i': (x) => ({ y: 1 }), /* j */ },];"#;
        let expected = serde_json::json!([{
            "name": "it's 友A😀😀", "b": "x", "n": -1.5e3, "t": true, "u": null, "c": null, "d": "t", "e": null,
            "f": [1, 2], "i": null
        }]);
        let found = json(script);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&found[0]).unwrap(), expected);
    }

    #[test]
    fn everything_stands_in_its_line() {
        let script = "// it's\nconst a = `\n`, links: Link[] = [\n\n  { a: `x\ny` }, // [\n  { b: 1 }\n]\n";
        let found: Vec<_> = Literals::of(script).collect();
        let (line, json) = found.last().unwrap();
        assert_eq!((*line, json.lines().position(|it| it.contains("\"b\""))), (3, Some(4)), "{json:?}");
    }

    #[test]
    fn no_text_makes_it_panic_or_run_for_long() {
        for script in [
            "[",
            "{",
            "[{",
            "['",
            "[\"\\",
            "[`${",
            "[/*",
            "{a",
            "{a:",
            "[)",
            "{]",
            "'\\u{",
            "['\\uD83D\\u']",
            "[\\",
        ] {
            drop(json(script));
        }
        for part in ["[", "{a:", "[{", "(", "'", "`", "/*", "[1,", "{a:[", "]}", "'\\u{"] {
            drop(json(&part.repeat(20_000)));
        }
    }
}
