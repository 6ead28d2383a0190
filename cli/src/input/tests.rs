use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use linkbeat_shared::{Attributes, LinkName, Tags, Without};

use super::*;
use crate::exit::Failure;

/// Reads files, each given as its name and its bytes.
fn read(files: &[(&str, &[u8])], bad_rows: BadRows) -> Result<Input, String> {
    let sources: Vec<Source> = files.iter().map(|(name, _)| Source::File(name.into())).collect();
    let mut intake = Intake::new(bad_rows, NearRows::Tell);
    for (source, (_, bytes)) in sources.into_iter().zip(files) {
        let text = source.decode(bytes.to_vec()).map_err(|error| Failure::from(error).to_string())?;
        intake.take(source, text).map_err(|error| Failure::from(error).to_string())?;
    }
    intake.finish().map_err(|error| Failure::from(error).to_string())
}

fn links(file: &str, text: &str) -> Vec<NewLink> {
    read(&[(file, text.as_bytes())], BadRows::Refuse).unwrap().links.iter().collect()
}

fn refused(file: &str, text: &str) -> String {
    read(&[(file, text.as_bytes())], BadRows::Refuse).unwrap_err()
}

fn link(name: Option<&str>, url: &str) -> NewLink {
    NewLink { name: name.map(named), ..NewLink::from_url(url.parse().unwrap()) }
}

fn named(name: &str) -> LinkName {
    LinkName::parse(name).unwrap()
}

#[test]
fn each_format_is_told_from_its_content() {
    let expected = [link(Some("小明"), "https://ming.example/"), link(Some("Bob"), "http://bob.example/x")];
    let texts = [
        "name,url\n小明,https://ming.example/\nBob,http://bob.example/x\n",
        "\u{feff}\r\nURL , icon, Name\r\nhttps://ming.example/,m.png,小明\r\n\r\n,,\r\nhttp://bob.example/x,,Bob",
        "name,link,linkpage\n\"小明\",\"https://ming.example/\",\nBob,http://bob.example/x,\n",
        r#" [{"name": "小明", "url": "https://ming.example/", "avatar": {"a": [1]}}, {"link": "http://bob.example/x", "name": "Bob", "active": null}]"#,
        r#"{"link_list": [{"name": "小明", "link": "https://ming.example/", "note": "…"}, {"name": "Bob", "link": "http://bob.example/x"}], "length": 2}"#,
    ];
    for text in texts {
        assert_eq!(links("input.txt", text), expected, "{text}");
    }
    let list = "# friends, url, link\n\n  https://ming.example/  \r\nhttp://bob.example/x?a=1,2\n";
    let expected = [link(None, "https://ming.example/"), link(None, "http://bob.example/x?a=1,2")];
    assert_eq!(links("list", list), expected);
    assert_eq!(links("one.csv", "url\nhttps://ming.example/"), expected[..1]);
}

#[test]
fn every_field_is_read() {
    let expected = NewLink {
        name: Some(named("A, B")),
        url: "https://a.example/".parse().unwrap(),
        page_url: Some("https://a.example/friends".parse().unwrap()),
        active: Some(true),
        paused_until: None,
        shown: Some(false),
        backlink: Some(false),
        group: Some("友链".parse().unwrap()),
        attributes: Attributes {
            avatar: Some("/a.png".parse().unwrap()),
            description: Some("Two words".parse().unwrap()),
            screenshot: Some("https://a.example/s.jpg".parse().unwrap()),
            feed: Some("/atom.xml".parse().unwrap()),
            tags: Some(Tags::try_from(BTreeSet::from(["b".parse().unwrap(), "a".parse().unwrap()])).unwrap()),
        },
        without: Without::default(),
        pin: None,
    };
    let csv = "backlink,shown,active,page_url,url,name,tags,feed,screenshot,description,avatar,Group\nno,0,YES,https://a.example/friends,https://a.example/,\"A, B\",\"b, a\",/atom.xml,https://a.example/s.jpg,\"Two\nwords\",/a.png,友链";
    let json = r#"[{"name":"A, B","url":"https://a.example/","page_url":"https://a.example/friends","active":true,"shown":0,"backlink":"False","group":"友链","avatar":"/a.png","description":"Two\nwords","screenshot":"https://a.example/s.jpg","feed":"/atom.xml","tags":["b","a",""]}]"#;
    let friend = r#"{"link_list":[{"name":"A, B","link":"https://a.example/","linkpage":"https://a.example/friends","active":"1","shown":"No","backlink":false,"group":" 友链","avatar":"/a.png","description":"Two words","screenshot":"https://a.example/s.jpg","feed":"/atom.xml","tags":"a;b"}]}"#;
    for text in [csv, json, friend] {
        assert_eq!(links("input", text), std::slice::from_ref(&expected), "{text}");
    }
}

#[test]
fn what_is_beyond_its_bounds_is_left_out_and_the_link_is_taken() {
    let long = "x".repeat(2_000);
    let json = format!(
        r#"[{{"url":"http://a/","description":"{long}","avatar":7,"group":null,"tags":{{}},"feed":"/f"}}]"#
    );
    let kept = links("input", &json).remove(0);
    assert_eq!((kept.group, kept.attributes.description, kept.attributes.avatar), (None, None, None));
    assert_eq!(kept.attributes.feed.unwrap().as_str(), "/f");
}

#[test]
fn a_bad_file_says_what_where_and_what_to_do() {
    let columns = "the first line of a CSV names its columns, separated by commas: url (or link), and as you \
                   like name, page_url (or linkpage), active, shown, backlink, group, avatar, description, \
                   screenshot, feed, tags";
    let forms = r#"write [{"name": …, "url": …}, …] or {"link_list": [{"name": …, "link": …}, …]}"#;
    let cases = [
        ("a", "", "a: is empty; write one URL per line, or CSV or JSON with names and URLs".to_owned()),
        (
            "a",
            "\u{feff} \r\n",
            "a: is empty; write one URL per line, or CSV or JSON with names and URLs".into(),
        ),
        ("a.csv", "name,url\n\n", "a.csv: lists no link; write at least one".into()),
        ("a", "# nothing yet\n", "a: lists no link; write at least one".into()),
        ("a", "[]", "a: lists no link; write at least one".into()),
        (
            "a.csv",
            "\nname|url\n",
            format!("a.csv:2: the header names no column `url`; its columns are `name|url`; {columns}"),
        ),
        (
            "a",
            "Bob,ftp://me:secret@b/\n",
            format!("a:1: the header names no column `url`; its columns are `Bob`, `ftp://…@b/`; {columns}"),
        ),
        ("a", "url,name,URL\n", format!("a:1: the header names `url` twice; {columns}")),
        (
            "a",
            "url,\"name\nhttp://a/,A\n",
            format!(
                "a:1: a double quote opened here is never closed, so all that follows is one row; {columns}"
            ),
        ),
        (
            "a",
            "[{\"url\": \"http://a/\"},\n {\"url\": }]",
            "a:2:10: is not valid JSON: expected value; correct it there".into(),
        ),
        (
            "a",
            "[{\"url\": \"http://a/\"}",
            "a:1:21: is not valid JSON: EOF while parsing a list; correct it there".into(),
        ),
        ("a.json", "http://a/", "a.json:1:1: is not valid JSON: expected value; correct it there".into()),
        ("a", r#"{"name": "A", "url": "http://a/"}"#, format!("a: is JSON without a list of links; {forms}")),
        ("a", r#"{"link_list": "http://a/"}"#, format!("a: is JSON without a list of links; {forms}")),
    ];
    for (file, text, message) in cases {
        assert_eq!(refused(file, text), message, "{text}");
        assert_eq!(read(&[(file, text.as_bytes())], BadRows::Skip).unwrap_err(), message, "{text}");
    }
}

#[test]
fn what_is_no_text_says_so() {
    let read = |bytes: &[u8]| read(&[("a.csv", bytes)], BadRows::Refuse).unwrap_err();
    assert_eq!(
        read(b"name,url\n\xd0\xff\xff,http://a/\n"),
        "a.csv:2: is not text (in UTF-8, the first bad byte is at offset 9); convert it to UTF-8, for example with iconv"
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: &Path| read_all(&[Source::File(path.into())], BadRows::Refuse, NearRows::Tell);
    let missing = folder.path().join("missing.csv");
    assert_eq!(
        Failure::from(read(&missing).unwrap_err()).to_string(),
        format!(
            "{}: cannot be read: No such file or directory (os error 2); check the path (- reads standard input)",
            missing.display()
        )
    );
    assert_eq!(
        Failure::from(read(folder.path()).unwrap_err()).to_string(),
        format!(
            "{}: cannot be read: Is a directory (os error 21); name a file in it",
            folder.path().display()
        )
    );
    let whole = folder.path().join("links.txt");
    fs::write(&whole, "http://a/\n").unwrap();
    assert_eq!(read(&whole).unwrap().links, vec![link(None, "http://a/")].into());
}

#[test]
fn a_bad_row_says_what_where_and_what_to_do() {
    let cases = [
        ("name,url\nA,\n", "2: url: the URL is empty"),
        ("url\nftp://me:secret@a/\n", "2: url: only http and https URLs can be checked (`ftp://…@a/`)"),
        (
            "url,page_url\nhttp://a/,a/friends\n",
            "2: page_url: the URL has no scheme; write it whole, such as https://example.com/ (`a/friends`)",
        ),
        ("url,name\nhttp://a/,\u{1b}[2J\n", r"2: name: the name contains a control character (`\u{1b}[2J`)"),
        ("url,active\nhttp://a/,maybe\n", "2: active: `maybe` is neither yes nor no; write true or false"),
        (
            "name,url\nA, B,http://a/\n",
            "2: the row has 3 columns and the header 2; put a value that contains a comma in double quotes",
        ),
        (
            "note,url\n\"two\nlines\",nowhere\n",
            "2: url: the URL has no scheme; write it whole, such as https://example.com/ (`nowhere`)",
        ),
        (
            "url,note\n\nhttp://a/,\"two\nhttp://b/,x\n",
            "3: a double quote opened here is never closed, so all that follows is one row",
        ),
        (
            "[\n\n{\"url\": \"ht tp://a\"}]",
            "3: url: the URL contains a control character or white space (`ht tp://a`)",
        ),
        ("[{}]", "1: url: the URL is empty"),
        ("[7]", "1: is no object; write {\"name\": …, \"url\": …}"),
        ("[{\"url\": 7}]", "1: url: must be a string in double quotes"),
        (
            "[{\"url\": \"http://a/\", \"shown\": 2}]",
            "1: shown: `2` is neither yes nor no; write true or false",
        ),
        ("[{\"url\": \"http://a/\", \"shown\": [1]}]", "1: shown: `[1]` is neither true nor false"),
        ("[{\"url\": \"http://a/\", \"url\": \"http://b/\"}]", "1: duplicate field `url`"),
        ("\n# list\nhttp:///\n", "3: url: the URL's host is missing or invalid (`http:///`)"),
    ];
    for (text, message) in cases {
        let expected = format!(
            "1 bad row:\n  a:{message}\nCorrect them, or import only the good rows with --skip-bad-rows"
        );
        assert_eq!(refused("a", text), expected, "{text}");
        let expected = format!(
            "a: no usable link is left without the bad rows; correct them\n1 bad row:\n  a:{message}"
        );
        assert_eq!(read(&[("a", text.as_bytes())], BadRows::Skip).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn duplicates_are_found_within_and_across_inputs_and_the_first_is_kept() {
    let files: [(&str, &[u8]); 2] = [
        ("a.csv", b"name,url\nA,https://a.example\nB,https://A.example:443/#top\n"),
        ("b", b"http://b/\nhttps://a.example/"),
    ];
    assert_eq!(
        read(&files, BadRows::Refuse).unwrap_err(),
        "2 bad rows:\n  a.csv:3: url: `https://a.example/` is the same link as a.csv:2; keep one\n  \
         b:2: url: `https://a.example/` is the same link as a.csv:2; keep one\n\
         Correct them, or import only the good rows with --skip-bad-rows"
    );
    let input = read(&files, BadRows::Skip).unwrap();
    assert_eq!(input.links, vec![link(Some("A"), "https://a.example/"), link(None, "http://b/")].into());
    assert_eq!(input.skipped.total(), 2);
    // A second copy of a file adds nothing, and is not broken either.
    assert_eq!(read(&[files[1], files[1]], BadRows::Skip).unwrap().links.named(), 2);
}

#[test]
fn near_duplicates_are_pointed_out_or_merged() {
    let text = "http://a.example/~me/\nhttps://www.a.example/%7Eme\nhttp://b.example/\nHTTP://b.example\n";
    let take = |bad_rows, near_rows| {
        let mut intake = Intake::new(bad_rows, near_rows);
        let text = Decoded { text: text.to_owned(), charset: None };
        intake.take(Source::File("a".into()), text).unwrap();
        intake.finish().unwrap()
    };
    let told = take(BadRows::Skip, NearRows::Tell);
    assert_eq!((told.links.named(), told.near.total(), told.skipped.total()), (3, 1, 1));
    assert_eq!(told.near.to_string(), "\n  a:2: `https://www.a.example/%7Eme` looks like the link of a:1");
    let merged = take(BadRows::Refuse, NearRows::Merge);
    assert_eq!(
        merged.links,
        vec![link(None, "http://a.example/~me/"), link(None, "http://b.example/")].into()
    );
    assert!(merged.seen.has(&"http://a.example/~me/".parse().unwrap()));
    assert!(merged.seen.has_near(&"https://a.example/~me".parse().unwrap()));
    assert!(!merged.seen.has_near(&"https://c.example/".parse().unwrap()));
}

#[test]
fn of_many_bad_rows_twenty_are_listed() {
    let text = format!("http://a/\n{}", "nowhere\n".repeat(25));
    let message = refused("a", &text);
    assert!(message.starts_with("25 bad rows:\n  a:2: url:"), "{message}");
    assert!(message.contains("\n  a:21: url:") && !message.contains("a:22:"), "{message}");
    assert!(message.contains("\n  and 5 more\nCorrect them"), "{message}");
}

#[test]
fn no_bytes_make_it_panic() {
    let seeds: [&[u8]; 4] = [
        "\u{feff}name,url,active\n\"小明, x\",https://a.example/,yes\r\nB,http://b/,0\n".as_bytes(),
        br#"[{"name":"A","url":"http://a/","active":true},{"link":"http://b/"}]"#,
        br#"{"link_list":[{"name":"A","link":"http://a/","linkpage":"http://a/l"}]}"#,
        b"# list\nhttp://a/\nhttps://b.example/x\n",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut good, mut bad) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = b"\",[{}:\n\r\0\xff\xe5@#"[random(13)],
                1 => bytes.truncate(at + 1),
                2 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        for bad_rows in [BadRows::Refuse, BadRows::Skip] {
            match read(&[("a", &bytes)], bad_rows) {
                Ok(input) => {
                    let links = input.links.iter().count();
                    good += usize::from(links > 0 && links == input.links.named());
                }
                Err(message) => bad += usize::from(message.contains("a:")),
            }
        }
    }
    assert_eq!(good + bad, 40_000, "each ends with links or with a message that names the file");
    assert!(good > 1_000 && bad > 1_000, "{good} good, {bad} bad");
}
