//! A sample of each shape, as people keep it.

use super::*;

/// A list, which shape it is, and its links: group, name, URL, and all that is said besides.
type Sample = (&'static str, &'static [u8], &'static str, &'static [&'static str]);

macro_rules! sample {
    ($file:literal, $shape:literal, $($link:literal),+) => {
        ($file, include_bytes!(concat!("samples/", $file)), $shape, &[$($link),+])
    };
}

const SAMPLES: [Sample; 59] = [
    sample!(
        "butterfly.yml",
        "YAML",
        "友情链接|甲|http://127.0.9.1:8940/ok|http://127.0.9.1:8940/a.png|第一位",
        "友情链接|乙|http://127.0.9.3:8940/ok|http://127.0.9.1:8940/b.png|第二位"
    ),
    sample!("redefine.yml", "YAML", "友|甲|http://a.example/|/a.png|x", "技术|乙|http://b.example/||"),
    sample!("flat.yml", "YAML", "|甲|http://127.0.9.1:8940/ok||"),
    sample!(
        "jekyll.yml",
        "YAML",
        "友|甲|http://a.example/|/a.png|see [x](http://x.example/)",
        "技术|乙|http://b.example/||"
    ),
    sample!("upptime.yml", "YAML", "|Site|http://127.0.9.1:8940/ok||", "|API|https://api.example/health||"),
    sample!("hugo.toml", "TOML", "|甲|http://a.example/|/a.png|", "|乙|http://b.example/||"),
    sample!("circle.json", "JSON", "|甲|http://a.example/|/a.png|", "|乙|http://b.example/||"),
    sample!(
        "list.md",
        "Markdown",
        "朋友|甲|http://a.example/||第一位",
        "朋友|乙 blog|https://b.example/x_(y)||写代码",
        "朋友|丙|https://c.example/||",
        "朋友|丁|https://d.example/|https://d.example/d.png|",
        "朋友|戊|https://e.example/||"
    ),
    sample!("table.md", "Markdown", "|甲 <b> @x|http://a.example/%7C||", "|乙|http://b.example/||"),
    sample!(
        "friends.md",
        "Markdown",
        "|甲|https://a.example/|/a.png|第一位 | x",
        "|乙|https://b.example/|/b.png|第二位"
    ),
    sample!(
        "friends.html",
        "HTML",
        "技术 & 生活|甲|http://a.example/?a=1&b=2|/a.png|第一位",
        "技术 & 生活|乙 blog|https://b.example/||第二位"
    ),
    sample!("bookmarks.html", "HTML", "Friends|甲|http://a.example/||"),
    sample!("report.xml", "JUnit", "|甲 & x|http://a.example/||", "|乙|http://b.example/||"),
    sample!("urls.yml", "YAML", "||http://a.example/||", "||https://b.example/||"),
    sample!("classes.json", "JSON", "友|甲|http://127.0.9.1:8940/ok||"),
    sample!("friendsobj.json", "JSON", "|甲|http://127.0.9.1:8940/ok|a|d"),
    sample!("deep.json", "JSON", "|甲|http://a.example/||", "|乙|http://b.example/||"),
    sample!("strings.json", "JSON", "||http://a.example/||", "||http://b.example/||"),
    sample!("links.jsonl", "JSON Lines", "朋友|甲|http://a.example/|/a.png|x", "|乙|http://b.example/||"),
    sample!("roll.opml", "OPML", "|甲|http://127.0.9.1:8940/ok||"),
    sample!("checkflink.csv", "CSV", "|甲|http://127.0.9.1:8940/ok||", "|乙|http://127.0.9.3:8940/ok||"),
    sample!("semi.csv", "CSV", "|甲|http://127.0.9.1:8940/ok||"),
    sample!("sep.csv", "CSV", "|甲|http://a.example/?b=1,2||"),
    sample!("tab.tsv", "CSV", "|甲|http://127.0.9.1:8940/ok||"),
    sample!("zhhead.csv", "CSV", "|甲|http://127.0.9.1:8940/ok||"),
    sample!(
        "wu.csv",
        "CSV",
        "|甲|http://127.0.9.1:8940/ok||",
        "|乙|http://127.0.9.3:8940/ok||",
        "|丙|http://127.0.9.20:8940/ok||"
    ),
    sample!("sections.yml", "YAML", "友情链接|甲|https://a.example/||第一位"),
    sample!(
        "stellar.yml",
        "YAML",
        "朋友们|甲|https://a.example/||第一位",
        "|乙|https://b.example/||",
        "更多|丙|https://c.example/||",
        "|丁|https://d.example/||"
    ),
    sample!("next.yml", "YAML", "|甲|https://a.example/||", "|乙|https://b.example/||"),
    sample!("named.yml", "YAML", "|甲|https://a.example/|/a.png|第一位", "|乙|https://b.example/||"),
    sample!("halo.json", "JSON", "|甲|https://a.example/|/a.png|第一位", "|404|https://b.example/||"),
    sample!("classes.yml", "YAML", "技术|甲|https://a.example/||", "生活|乙|https://b.example/||"),
    sample!("two.json", "JSON", "|甲|https://a.example/||", "|乙|https://b.example/||"),
    sample!("upptime_default.yml", "YAML", "|Site|https://a.example/||"),
    sample!(
        "refs.md",
        "Markdown",
        "朋友|甲|https://a.example/||第一位",
        "朋友|乙 blog|https://b.example/||写代码",
        "朋友|丙|https://c.example/||"
    ),
    sample!(
        "cells.md",
        "Markdown",
        "|甲|https://a.example/|/a.png|第一位",
        "|乙|https://b.example/|/b.png|第二位"
    ),
    sample!("feeds.opml", "OPML", "Rust|甲 & x|https://a.example/||", "技术|乙|https://b.example/feed.xml||"),
    sample!("spaces.txt", "plain URLs", "|甲 的博客|https://a.example/||", "||https://b.example/||"),
    sample!("first.csv", "CSV", "|甲|https://a.example/||", "|乙|https://b.example/x||"),
    sample!("first.tsv", "CSV", "|甲|https://a.example/x||"),
    sample!("trad.csv", "CSV", "|甲|https://a.example/|/a.png|第一位"),
    sample!("keys.toml", "TOML", "|甲|https://a.example/||"),
    sample!("friends.js", "JavaScript", "|甲|https://a.example/|/a.png|第一位", "|乙|https://b.example/||"),
    sample!("links.ts", "JavaScript", "|甲|https://a.example/||"),
    sample!("theme.ts", "JavaScript", "|甲|https://a.example/|/a.png|"),
    sample!("module.js", "JavaScript", "|甲|https://a.example/||"),
    sample!("comments.json", "JSON", "|甲|https://a.example/||"),
    sample!("merge.yml", "YAML", "|甲|https://a.example/||写代码", "|乙|https://b.example/||甲"),
    sample!("sitemap.xml", "sitemap", "||https://a.example/?x=1&y=2||", "||https://b.example/||"),
    sample!(
        "keys.json",
        "JSON",
        "|甲|https://a.example/|/a.png|第一位",
        "|乙|https://b.example/|/b.ico|写代码"
    ),
    sample!(
        "flink.md",
        "Markdown",
        "朋友|甲|https://a.example/|/a.png|第一位",
        "欢迎|乙|https://b.example/||"
    ),
    sample!(
        "shortcodes.md",
        "Markdown",
        "朋友|甲|https://a.example/|/a.png|第一位 & x",
        "朋友|乙|https://b.example/||"
    ),
    sample!(
        "marks.txt",
        "plain URLs",
        "|甲|https://a.example/||",
        "|乙|https://b.example/||",
        "|丙|https://c.example/||"
    ),
    sample!("padded.csv", "CSV", "|甲|https://a.example/||", "|乙|https://b.example/||"),
    sample!("checkflink.json", "JSON", "|甲|https://a.example/||", "|乙|https://b.example/||"),
    sample!(
        "anchors.md",
        "Markdown",
        "朋友|甲|https://a.example/|/a.png|第一位",
        "朋友|乙|https://b.example/||",
        "朋友|丙|https://c.example/||",
        "朋友|丁|https://d.example/||"
    ),
    sample!("above.csv", "CSV", "|甲|https://a.example/||"),
    sample!("gridea.json", "JSON", "|甲|https://a.example/|/a.png|第一位"),
    sample!("whole.html", "HTML", "|甲|https://a.example/||", "|乙|https://b.example/||"),
];

fn read(file: &str, bytes: &[u8]) -> Input {
    let source = Source::File(file.into());
    let text = source.decode(bytes.to_vec()).unwrap();
    let mut intake = Intake::new(BadRows::Refuse, NearRows::Tell);
    intake.take(source, text).unwrap();
    intake.finish().unwrap()
}

fn plain(text: &str) -> Decoded {
    Decoded { text: text.to_owned(), charset: None }
}

fn described(link: &NewLink) -> String {
    let text = |text: Option<String>| text.unwrap_or_default();
    let said = &link.attributes;
    [
        text(link.group.as_ref().map(ToString::to_string)),
        text(link.name.as_ref().map(ToString::to_string)),
        link.url.to_string(),
        text(said.avatar.as_ref().map(ToString::to_string)),
        text(said.description.as_ref().map(ToString::to_string)),
    ]
    .join("|")
}

#[test]
fn each_sample_is_read_by_its_content_and_not_by_its_ending() {
    for (file, bytes, shape, expected) in SAMPLES {
        for name in [file.to_owned(), "list".to_owned(), "list.txt".to_owned()] {
            let input = read(&name, bytes);
            let found: Vec<_> = input.links.iter().map(|link| described(&link)).collect();
            assert_eq!(found, expected, "{file} as {name}");
            let told: Vec<_> = input.read.iter().map(|read| (read.to_string(), read.is_expected)).collect();
            let is_expected =
                (name == file && shape != "sitemap") || (shape == "plain URLs" && name.ends_with(".txt"));
            assert_eq!(told, [(format!("{name}: read as {shape}"), is_expected)], "{file} as {name}");
            assert!(input.links.iter().all(|link| link.page_url.is_none()), "{file}");
        }
    }
}

#[test]
fn other_encodings_are_read_and_told() {
    let text = "名称,链接\n友人,http://a.example/\n";
    let (gbk, ..) = encoding_rs::GBK.encode(text);
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let without_mark = &utf16[2..];
    let big_endian: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (bytes, charset) in [
        (gbk.as_ref(), "gb18030"),
        (&utf16, "UTF-16LE"),
        (without_mark, "UTF-16LE"),
        (&big_endian, "UTF-16BE"),
    ] {
        let decoded = Source::Stdin.decode(bytes.to_vec()).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.charset), (text, Some(charset)));
    }
}

#[test]
fn lists_of_taiwan_and_japan_are_read_and_told() {
    let traditional = "網站名稱,網址\n朋友的部落格,http://a.example/\n";
    let japanese = "サイト名,URL\n友だちのブログ,http://a.example/\n";
    for (text, encoding, name) in
        [(traditional, encoding_rs::BIG5, "Big5"), (japanese, encoding_rs::SHIFT_JIS, "Shift_JIS")]
    {
        let (bytes, ..) = encoding.encode(text);
        let input = read("a.csv", &bytes);
        assert_eq!(input.read[0].to_string(), format!("a.csv: read as CSV in {name}"));
        let link = input.links.iter().next().unwrap();
        assert!(text.contains(&format!("\n{},", link.name.unwrap())), "{text}");
    }
}

#[test]
fn aliases_grow_within_bounds() {
    let long = "x".repeat(3_000);
    let many = "  - {name: *n, url: 'http://a.example/', note: *t}\n".repeat(20_000);
    let text = format!("n: &n A\nt: &t {long}\nlinks:\n{many}");
    let mut intake = Intake::new(BadRows::Skip, NearRows::Tell);
    intake.take(Source::File("a".into()), plain(&text)).unwrap();
    assert_eq!(intake.finish().unwrap().links.iter().count(), 1);
}

#[test]
fn aliases_of_all_documents_together_grow_within_bounds() {
    let urls = ["http://a.example/"; 200].join(", ");
    let document = format!("- &a {{links: [{urls}]}}\n{}", "- *a\n".repeat(5_000));
    let text = [document.as_str(); 4].join("---\n");
    let source = Source::File("a.yml".into());
    let rows = shapes::of(&source, &text).rows(&source, &text).unwrap().count();
    assert!((200_000..300_000).contains(&rows), "{rows}");
}

#[test]
fn the_links_of_each_document_stand_in_their_lines() {
    let text = "---\n- {url: http://a.example/}\n---\n\n- {name: B,\n   url: http://b.example/}\n---\n- {url: http://c.example/}\n";
    let source = Source::File("a.yml".into());
    let lines: Vec<_> = shapes::of(&source, text).rows(&source, text).unwrap().map(|row| row.line).collect();
    assert_eq!(lines, [2, 5, 8]);
}

#[test]
fn what_is_wrong_in_json_with_comments_is_not_the_comment() {
    let text =
        "// friends\n[\n  {\"url\": \"http://a.example/\"} // A\n  {\"url\": \"http://b.example/\"}\n]\n";
    let source = Source::File("a.json".into());
    let error = shapes::of(&source, text).rows(&source, text).err().unwrap();
    assert!(matches!(error, InputError::Json { line: 4, .. }), "{error}");
}

#[test]
fn a_table_that_linkbeat_wrote_is_taken_literally_in_both_languages() {
    for (shown, verdict, name) in
        [("显示", "结果", Some("none")), ("shown", "verdict", Some("none")), ("显示", "备注", None)]
    {
        let table = format!(
            "| 名称 | 网址 | {shown} | {verdict} |\n|-|-|-|-|\n| none | http://a.example/ | yes | y |\n"
        );
        let found = read("a.md", table.as_bytes()).links.iter().next().unwrap().name.clone();
        assert_eq!(found.map(|name| name.to_string()).as_deref(), name, "{table}");
    }
}

#[test]
fn a_page_of_mdx_is_markdown() {
    let page =
        "import Card from './card'\n\n# Friends\n\n- [A](https://a.example/)\n\n```js\nconst x = [1]\n```\n";
    let found = read("friends.mdx", page.as_bytes());
    assert_eq!(found.links.iter().count(), 1);
}

#[test]
fn a_page_gives_the_links_in_its_front_matter_or_those_in_its_text() {
    let yaml = "---\ntitle: Links\nlinks:\n  - title: 甲\n    website: https://a.example/\n    image: /a.png\n---\n\n[rules](https://rules.example/)\n";
    let toml = "+++\ntitle = \"x\"\n[[links]]\nname = \"甲\"\nurl = \"https://a.example/\"\nimage = \"/a.png\"\n+++\ntext\n";
    let text = "---\ntitle: Links\nurl: https://me.example/links\nauthors:\n  - url: https://me.example/\n---\n- ![](/a.png) [甲](https://a.example/)\n";
    for (page, line) in [(yaml, 4), (toml, 5), (text, 7)] {
        let source = Source::File("index.md".into());
        let rows: Vec<_> = shapes::of(&source, page).rows(&source, page).unwrap().collect();
        let found: Vec<_> =
            rows.iter().map(|row| (row.line, row.fields.as_ref().unwrap().url.as_str())).collect();
        assert_eq!(found, [(line, "https://a.example/")], "{page}");
    }
    // Without the ending it is YAML, and what follows is no part of that.
    let text = format!("{yaml}- [: x\n");
    assert_eq!(read("list", text.as_bytes()).links.iter().count(), 1);
}

#[test]
fn plain_urls_with_commas_and_spaces_are_no_columns() {
    for text in
        ["http://a.example/x,y\nhttp://b.example/?a=1,2\n", "http://a.example/\nhttp://b.example/,x\n"]
    {
        let input = read("list", text.as_bytes());
        assert_eq!(input.read[0].to_string(), "list: read as plain URLs", "{text}");
    }
    let mut intake = Intake::new(BadRows::Refuse, NearRows::Tell);
    intake.take(Source::File("a".into()), plain("https://a.example/\nhttps://a.example/my page\n")).unwrap();
    let error = intake.finish().err().unwrap().to_string();
    assert!(error.contains("a:2: url: "), "what follows a URL is no name: {error}");
}

#[test]
fn a_variable_says_that_it_is_none_of_ours() {
    let mut intake = Intake::new(BadRows::Refuse, NearRows::Tell);
    intake.take(Source::File("a".into()), plain("sites:\n  - name: x\n    url: $SECRET\n")).unwrap();
    let error = intake.finish().err().unwrap().to_string();
    assert!(error.contains("a:2: url: `$SECRET` stands for a URL that is not known here"), "{error}");
}

#[test]
fn pages_are_joined_with_the_url() {
    let input =
        read("a.csv", b"url,linkpage\nhttps://a.example/blog/,/links\nhttps://b.example/x/y,./links\n");
    let pages: Vec<_> = input.links.iter().map(|link| link.page_url.unwrap().to_string()).collect();
    assert_eq!(pages, ["https://a.example/links", "https://b.example/x/links"]);
}

#[test]
fn a_bad_row_deep_inside_names_its_line() {
    let yaml = "- class_name: x\n  link_list:\n    - name: A\n      link: http://a.example/\n    - name: B\n      link: nowhere\n";
    let json = "{\"x\": 1,\n \"friends\": [\n{\"url\": \"http://a.example/\"},\n\n{\"url\": \"nowhere\"}]}";
    for (text, line) in [(yaml, 5), (json, 5)] {
        let mut intake = Intake::new(BadRows::Refuse, NearRows::Tell);
        intake.take(Source::File("a".into()), plain(text)).unwrap();
        let error = intake.finish().err().unwrap().to_string();
        assert!(error.contains(&format!("a:{line}: url: ")), "{error}");
    }
}

#[test]
fn nothing_nested_deep_or_full_of_aliases_harms() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nlinks:\n  - *c\n  - {url: http://a.example/, name: *a}\n";
    let flow = format!("- {}", "[".repeat(100_000));
    let merges = format!("{}1{}", "{\"<<\":".repeat(100_000), "}".repeat(100_000));
    let documents = "---\n".repeat(20_000);
    let places = format!("<urlset>{}http://a.example/</loc>", "<loc>".repeat(100_000));
    let brackets = format!("- [a](http://a.example/)\n{}", "[".repeat(100_000));
    let harmless = [bomb, &places, &brackets];
    for text in [deep.as_str(), &objects, bomb, &flow, &merges, &documents, &places, &brackets] {
        let mut intake = Intake::new(BadRows::Skip, NearRows::Tell);
        let taken = intake.take(Source::File("a".into()), plain(text));
        assert_eq!(taken.is_ok(), harmless.contains(&text), "{taken:?}");
    }
}
