//! linkbeat at a terminal, which `script` of util-linux makes: what fits its width, and what people are asked there.

use std::process::Command;

use unicode_width::UnicodeWidthStr;

use crate::support::form::{Form, arg};
use crate::support::process::{BINARY, Ended, run_with_input};
use crate::support::site::{Answer, Street};

/// Runs linkbeat at a terminal of so many columns, and types this.
fn at_terminal(form: &Form, columns: usize, args: &[&str], typed: &str) -> Ended {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let words = [BINARY.0].iter().chain(args).map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let line = format!("stty cols {columns} rows 24; exec {words}");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(form.folder.path());
    for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
        script.env_remove(name);
    }
    script.env("NO_COLOR", "1").env("TERM", "xterm").env("SHELL", "/bin/sh");
    run_with_input(&mut script, typed.as_bytes())
}

#[test]
fn tables_fit_the_terminal_and_no_reason_is_cut() {
    let (street, form) = (Street::open(), Form::embedded());
    let long = street.set(&"a-long-way/".repeat(12), Answer::Page(404, String::new()));
    let bare = street.set("bare", Answer::Page(200, "nothing".to_owned()));
    let list = form.list(&format!(
        "name,url\n一个名字非常非常长的中文博客，专门写代码和生活的点点滴滴,{long}\nB,{bare}\n"
    ));
    let open = ["--allow-network", "127.0.0.0/8", "--hold-back-links", "0"];
    let check = [&["check", arg(&list), "-q", "--backlink", "me"], &open[..]].concat();
    let zh = [&["links", "list", "--lang", "zh"][..]].concat();
    let explain = [&["explain", &bare, "--backlink", "me"], &open[..2]].concat();
    for columns in [80, 120] {
        let checked = at_terminal(&form, columns, &check, "").expect(1).stdout;
        let listed = at_terminal(&form, columns, &["links", "list"], "").expect(0).stdout;
        let in_chinese = at_terminal(&form, columns, &zh, "").expect(0).stdout;
        let told = at_terminal(&form, columns, &explain, "").expect(1).stdout;
        for (text, reason) in [
            (&listed, "the page does not link back"),
            (&in_chinese, "网站未设置本站外链"),
            (&told, "the final status is accepted, but the page lacks the backlink"),
        ] {
            assert!(text.contains(reason), "{columns}: {text}");
        }
        // The second time nothing changes, which -q does not tell.
        assert_eq!(checked.contains("the page answered 404"), columns == 80, "{checked}");
        for line in [checked, listed, in_chinese, told].iter().flat_map(|text| text.lines()) {
            assert!(line.trim_end().width() <= columns, "{columns}: {line}");
        }
    }
}

#[test]
fn people_are_asked_before_a_run_of_all_links_and_before_links_are_removed() {
    let form = Form::embedded();
    form.run(&["links", "add", "http://a.example/"]).expect(0);
    let run = ["run", "--broker-url", "amqp://127.0.0.1:1/"];
    let asked = at_terminal(&form, 80, &run, "n\n").expect(2).stdout;
    assert!(asked.contains("This files a run of all stored links. Go on? [y/N]"), "{asked}");
    assert!(asked.contains("nothing was filed; name a list, or say --all"), "{asked}");
    let list = form.list("url\nhttp://b.example/\n");
    let prune = ["links", "import", arg(&list), "--prune"];
    let asked = at_terminal(&form, 80, &prune, "n\n").expect(0).stdout;
    assert!(asked.contains("Remove them?") && asked.contains("nothing was removed"), "{asked}");
    assert_eq!(form.links().as_array().unwrap().len(), 2);
    let asked = at_terminal(&form, 80, &prune, "y\n").expect(0).stdout;
    assert!(asked.contains("1 link removed") || asked.contains("1 removed"), "{asked}");
    assert_eq!(form.links().as_array().unwrap().len(), 1);
}
