//! The rules of the original task, one by one, in both forms.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::form::{arg, both_forms};
use crate::support::named;
use crate::support::site::{Answer, Street, dead_url};

const WITH: &str = r#"<p>friends: <a href="https://my.blog/">me</a></p>"#;
const WITHOUT: &str = "<p>friends: nobody</p>";
const BACKLINK: &[&str] = &["--backlink", r"https?://my\.blog"];

fn page(status: u16) -> Answer {
    Answer::Page(status, WITH.into())
}

fn with<'a>(list: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[list], more].concat()
}

both_forms! {
    /// Rule 3: a shown link whose final status is not 200 is hidden, and the reason kept.
    fn a_shown_link_that_does_not_answer_200_is_hidden_with_its_reason(form: &Form) {
        let street = Street::open();
        let url = street.set("a", page(404));
        let list = form.list(&format!("name,url\na,{url}\n"));
        let report = form.report(&[arg(&list)]);
        let link = named(&report["data"]["links"], "a");
        assert_eq!((&link["verdict"], &link["shown"], &link["changed"]), (&json!("down"), &json!(false), &json!("hidden")));
        assert_eq!(link["reason"], json!({"type": "status", "code": 404}));
        let stored = form.links();
        assert_eq!(named(&stored, "a")["hidden_reason"], json!({"type": "status", "code": 404}));
    }

    /// Rule 4: a shown link that answers 200 without the backlink is hidden; with it, it stays.
    fn a_shown_link_without_the_backlink_is_hidden(form: &Form) {
        let street = Street::open();
        let with_it = street.set("with", Answer::Page(200, WITH.into()));
        let without = street.set("without", Answer::Page(200, WITHOUT.into()));
        let exempt = street.set("exempt", Answer::Page(200, WITHOUT.into()));
        let list = form.list(&format!("name,url,backlink\nwith,{with_it},\nwithout,{without},\nexempt,{exempt},no\n"));
        let report = form.report(&with(arg(&list), BACKLINK));
        let links = &report["data"]["links"];
        assert_eq!(named(links, "with")["verdict"], "up");
        assert_eq!(named(links, "exempt")["verdict"], "up");
        let lost = named(links, "without");
        assert_eq!((&lost["verdict"], &lost["shown"]), (&json!("no_backlink"), &json!(false)));
        assert_eq!(lost["reason"]["type"], "backlink_missing");
        assert_eq!(report["data"]["no_backlink"], 1);
    }

    /// Rule 5, first half: a hidden link that answers 200 is shown again and its reason cleared.
    fn a_hidden_link_that_recovers_is_shown_and_its_reason_cleared(form: &Form) {
        let street = Street::open();
        let url = street.set("a", page(503));
        let list = form.list(&format!("name,url\na,{url}\n"));
        form.report(&with(arg(&list), BACKLINK));
        assert_eq!(named(&form.links(), "a")["shown"], false);
        street.set("a", Answer::Page(200, WITHOUT.into()));
        let report = form.report(&with(arg(&list), BACKLINK));
        assert_eq!(named(&report["data"]["links"], "a")["changed"], Value::Null, "200 alone is not enough");
        street.set("a", page(200));
        let report = form.report(&with(arg(&list), BACKLINK));
        assert_eq!(named(&report["data"]["links"], "a")["changed"], "shown");
        let stored = form.links();
        let link = named(&stored, "a");
        assert_eq!((&link["shown"], &link["hidden_reason"]), (&json!(true), &Value::Null));
    }

    /// Rule 5, second half: a link that stays hidden gets its reason refreshed.
    fn a_link_that_stays_hidden_gets_its_reason_refreshed(form: &Form) {
        let street = Street::open();
        let url = street.set("a", page(404));
        let list = form.list(&format!("name,url\na,{url}\n"));
        form.report(&[arg(&list)]);
        street.set("a", page(410));
        let report = form.report(&[arg(&list)]);
        assert_eq!((&report["data"]["to_not_show"], &report["data"]["to_show"]), (&json!(0), &json!(0)));
        assert_eq!(named(&form.links(), "a")["hidden_reason"]["code"], 410);
    }

    /// Rule 6: links on the white list are not fetched; a hidden one is shown, counting in `to_show` and
    /// not in `active_num`.
    fn the_white_list_goes_by_exact_name_and_is_not_fetched(form: &Form) {
        let street = Street::open();
        let friend = street.set("friend", page(404));
        let other = street.set("friends", page(404));
        let list = form.list(&format!("name,url,shown\nfriend,{friend},no\nfriends,{other},yes\n"));
        let report = form.report(&[arg(&list), "--white-list", "friend"]);
        let data = &report["data"];
        assert_eq!(street.hits("friend"), 0, "not fetched");
        assert_eq!(named(&data["links"], "friend")["changed"], "shown");
        assert_eq!(named(&data["links"], "friends")["changed"], "hidden");
        assert_eq!((&data["active_num"], &data["white_listed"]), (&json!(1), &json!(1)));
        assert_eq!((&data["to_show"], &data["to_not_show"]), (&json!(1), &json!(1)));
        assert_eq!(named(&form.links(), "friend")["hidden_reason"], Value::Null);
    }

    /// Rule 1, first half: only active links are checked.
    fn only_active_links_are_checked(form: &Form) {
        let street = Street::open();
        let active = street.set("active", page(200));
        let idle = street.set("idle", page(404));
        let list = form.list(&format!("name,url,active\nactive,{active},1\nidle,{idle},0\n"));
        let report = form.report(&[arg(&list)]);
        assert_eq!(report["data"]["active_num"], 1);
        assert_eq!(report["data"]["links"].as_array().unwrap().len(), 1);
        assert_eq!(street.hits("idle"), 0);
        form.run(&["links", "set", "idle", "--active", "true"]).expect(0);
        let report = form.report(&[]);
        assert_eq!((&report["data"]["active_num"], street.hits("idle")), (&json!(2), 1));
    }

    /// Rule 1, second half: all links are checked concurrently. One by one, these would take 12 s.
    fn a_run_takes_as_long_as_its_slowest_link(form: &Form) {
        let street = Street::open();
        let mut list = "name,url\n".to_owned();
        for n in 0..24 {
            let name = format!("slow{n}");
            let url = street.set(&name, Answer::After(Duration::from_millis(500), WITH.into()));
            list += &format!("{name},{url}\n");
        }
        let list = form.list(&list);
        let report = form.report(&[arg(&list)]);
        assert_eq!(report["data"]["up"], 24);
        let time = report["time"].as_f64().unwrap();
        assert!((0.5..6.0).contains(&time), "{time} s");
    }

    /// Rule 2: one absolute deadline per link, whatever the site does.
    fn one_absolute_deadline_ends_a_check(form: &Form) {
        let street = Street::open();
        let url = street.set("never", Answer::Never);
        let list = form.list(&format!("name,url\nnever,{url}\n"));
        let report = form.report(&[arg(&list), "--timeout", "700ms", "--retries", "3"]);
        let link = named(&report["data"]["links"], "never");
        assert_eq!(link["reason"], json!({"type": "timeout", "phase": "headers"}));
        let elapsed = link["elapsed_ms"].as_u64().unwrap();
        assert!((690..=900).contains(&elapsed), "{elapsed} ms");
    }

    /// Rule 7: the original's envelope, and counts that add up.
    fn the_report_is_the_originals_envelope_with_true_counts(form: &Form) {
        let street = Street::open();
        let rows = [
            ("up1", page(200), "yes"), ("up2", page(200), "no"), ("lost", Answer::Page(200, WITHOUT.into()), "yes"),
            ("gone", page(404), "yes"), ("still-gone", page(404), "no"),
            ("wall", Answer::Headers(403, "cf-mitigated: challenge\r\n"), "yes"), ("friend", page(200), "no"),
        ];
        let mut list = "name,url,shown\n".to_owned();
        for (name, answer, shown) in rows {
            list += &format!("{name},{},{shown}\n", street.set(name, answer));
        }
        list += "metadata,http://169.254.169.254/latest/,yes\n";
        let list = form.list(&list);
        let report = form.report(&[&[arg(&list), "--white-list", "friend"], BACKLINK].concat());
        let envelope: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
        for key in ["code", "data", "message", "error", "time"] {
            assert!(envelope.contains(&key), "{key} is missing: {report:#}");
        }
        assert_eq!((&report["code"], &report["message"], &report["error"]), (&json!(0), &json!(""), &json!("")));
        assert!(report["time"].as_f64().unwrap() > 0.0);
        let expected = [
            ("active_num", 7), ("checked", 7), ("up", 2), ("no_backlink", 1), ("down", 2), ("blocked", 1),
            ("refused", 1), ("white_listed", 1), ("to_not_show", 4), ("to_show", 2),
        ];
        for (count, value) in expected {
            assert_eq!(report["data"][count], value, "{count}");
        }
        assert_eq!(report["data"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(named(&report["data"]["links"], "metadata")["reason"]["type"], "unsafe_address");
    }

    /// Rule 8: settings may soften this.
    fn settings_may_soften_the_rules(form: &Form) {
        let street = Street::open();
        let flaky = street.set("flaky", page(500));
        let wall = street.set("wall", Answer::Headers(403, "cf-mitigated: challenge\r\n"));
        let empty = street.set("empty", Answer::Page(204, String::new()));
        let list = form.list(&format!("name,url\nflaky,{flaky}\nwall,{wall}\nempty,{empty}\n"));
        let soft = [
            arg(&list), "--hide-after", "2", "--show-after", "2", "--on-blocked", "keep", "--accept", "200-204", "--retries", "0",
        ];
        let changes = |report: &Value| -> Vec<Value> {
            ["flaky", "wall", "empty"].map(|name| named(&report["data"]["links"], name)["changed"].clone()).into()
        };
        let first = form.report(&soft);
        assert_eq!(changes(&first), [Value::Null, Value::Null, Value::Null]);
        assert_eq!(named(&first["data"]["links"], "empty")["verdict"], "up");
        assert_eq!(street.hits("flaky"), 1, "no retries were asked for");
        assert_eq!(changes(&form.report(&soft)), [json!("hidden"), Value::Null, Value::Null]);
        street.set("flaky", page(200));
        assert_eq!(changes(&form.report(&soft)), [Value::Null, Value::Null, Value::Null]);
        assert_eq!(changes(&form.report(&soft)), [json!("shown"), Value::Null, Value::Null]);
    }

    /// Rule 9: nothing a site does fails a run; a dead link is a successful check.
    fn one_dead_link_never_fails_a_run(form: &Form) {
        let street = Street::open();
        let fine = street.set("fine", page(200));
        let nonsense = street.set("nonsense", Answer::Headers(200, "broken header\r\n\0: \r\n"));
        let list = form.list(&format!("name,url\nfine,{fine}\ndead,{}\nnonsense,{nonsense}\n", dead_url()));
        let report = form.report(&[arg(&list)]);
        assert_eq!(report["code"], 0);
        assert_eq!(named(&report["data"]["links"], "fine")["verdict"], "up");
        let dead = named(&report["data"]["links"], "dead");
        assert_eq!(dead["reason"], json!({"type": "connect", "kind": "refused"}));
        assert_eq!(named(&report["data"]["links"], "nonsense")["verdict"], "down");
    }

    /// The two Chinese texts are the original's, to the letter.
    fn the_reasons_are_the_originals_in_chinese(form: &Form) {
        let street = Street::open();
        let gone = street.set("gone", page(404));
        let lost = street.set("lost", Answer::Page(200, WITHOUT.into()));
        let list = form.list(&format!("name,url\ngone,{gone}\nlost,{lost}\n"));
        let text = |report: &Value, name| named(&report["data"]["links"], name)["reason_text"].clone();
        let report = form.report(&[&[arg(&list), "--lang", "zh"], BACKLINK].concat());
        assert_eq!((text(&report, "gone"), text(&report, "lost")), (json!("网页请求返回404"), json!("网站未设置本站外链")));
        let report = form.report(&with(arg(&list), BACKLINK));
        assert_eq!(text(&report, "gone"), "the page answered 404", "English is the default");
    }

    /// Rule 9: a run that asks for no backlink says nothing about backlinks.
    fn a_link_hidden_for_its_missing_backlink_stays_hidden_where_none_is_asked_for(form: &Form) {
        let street = Street::open();
        let url = street.set("a", Answer::Page(200, WITHOUT.into()));
        let list = form.list(&format!("name,url\na,{url}\n"));
        form.report(&with(arg(&list), BACKLINK));
        for (answer, verdict) in [(page(200), "up"), (page(500), "down"), (page(200), "up")] {
            street.set("a", answer);
            let report = form.report(&[arg(&list)]);
            let link = named(&report["data"]["links"], "a");
            assert_eq!((&link["verdict"], &link["changed"]), (&json!(verdict), &Value::Null));
            let stored = form.links();
            let link = named(&stored, "a");
            assert_eq!((&link["shown"], &link["hidden_reason"]["type"]), (&json!(false), &json!("backlink_missing")));
        }
        let report = form.report(&with(arg(&list), BACKLINK));
        assert_eq!(named(&report["data"]["links"], "a")["changed"], "shown");
        // Hidden for it again; then a person asks no backlink of this link any more.
        street.set("a", Answer::Page(200, WITHOUT.into()));
        form.report(&with(arg(&list), BACKLINK));
        form.run(&["links", "set", "a", "--backlink", "false"]).expect(0);
        let report = form.report(&[]);
        assert_eq!(named(&report["data"]["links"], "a")["changed"], "shown");
    }

    /// Rule 9: where the backlink stands on another page, both pages are judged, and the report names which failed.
    fn a_dead_home_page_hides_a_link_whose_links_page_lives(form: &Form) {
        let street = Street::open();
        let (home, gone) = (street.set("home", page(500)), street.set("gone", page(404)));
        let (links, alive) = (street.set("links", page(200)), street.set("alive", Answer::Page(200, WITHOUT.into())));
        let list = form.list(&format!(
            "name,url,page_url\nhome,{home},{links}\npage,{alive},{gone}\nfine,{alive}?1,{links}\n"
        ));
        let report = form.report(&with(arg(&list), BACKLINK));
        for (name, verdict, status, failed, text) in [
            ("home", "down", 500, json!("home"), json!("home page: the page answered 500")),
            ("page", "down", 404, json!("links_page"), json!("links page: the page answered 404")),
        ] {
            for item in [named(&report["data"]["links"], name), named(&form.links(), name)] {
                assert_eq!((&item["verdict"], &item["status"]), (&json!(verdict), &json!(status)), "{name}");
                assert_eq!((&item["failed"], &item["reason_text"]), (&failed, &text), "{name}");
            }
        }
        let report = form.report(&[arg(&list)]);
        assert_eq!(named(&report["data"]["links"], "page")["verdict"], "up", "only the home page is asked for");
    }

    /// Signs of a lost friend are notes. They hide where the request says so, and never become a verdict.
    fn signs_of_a_lost_friend_are_noted_and_hide_only_where_asked_to(form: &Form) {
        let street = Street::open();
        let titled = |title: &str| Answer::Page(200, format!("<html><title>{title}</title>"));
        let url = street.set("a", titled("Garden notes"));
        let parked = street.set("b", titled("b.example is for sale | HugeDomains"));
        let list = form.list(&format!("name,url\na,{url}\nb,{parked}\n"));
        let notes = |report: &Value, name: &str| named(&report["data"]["links"], name)["notes"].clone();
        let report = form.report(&[arg(&list)]);
        assert_eq!((notes(&report, "a"), notes(&report, "b")), (json!([]), json!(["parked"])));
        street.set("a", titled("Best online casino"));
        assert_eq!(notes(&form.report(&[arg(&list)]), "a"), json!([]), "once is not enough");
        let report = form.report(&[arg(&list)]);
        assert_eq!(notes(&report, "a"), json!(["title_changed"]));
        assert_eq!((&report["data"]["up"], &report["data"]["to_not_show"]), (&json!(2), &json!(0)));
        let hide = ["--on-title-changed", "hide", "--on-parked", "hide"];
        let report = form.report(&with(arg(&list), &hide));
        assert_eq!((&report["data"]["up"], &report["data"]["to_not_show"]), (&json!(2), &json!(2)));
        let stored = form.links();
        let hidden = named(&stored, "a");
        assert_eq!((&hidden["verdict"], &hidden["hidden_reason"]), (&json!("up"), &json!({"type": "noted", "note": "title_changed"})));
        // Whoever shows it by hand has seen the page: its title is learnt anew.
        form.run(&["links", "set", "a", "--shown", "true"]).expect(0);
        let report = form.report(&with(arg(&list), &hide));
        assert_eq!((notes(&report, "a"), &named(&report["data"]["links"], "a")["shown"]), (json!([]), &json!(true)));
    }

    /// A page that builds its links by script lacks the backlink all the same; the request may keep the link.
    fn a_scripted_page_is_noted_and_kept_where_asked_to(form: &Form) {
        let street = Street::open();
        let url = street.set("a", Answer::Page(200, "<div id=app></div><script src=/app.js></script>".into()));
        let list = form.list(&format!("name,url\na,{url}\n"));
        let keep = with(arg(&list), &[BACKLINK, &["--on-scripted", "keep"]].concat());
        let report = form.report(&keep);
        let link = named(&report["data"]["links"], "a");
        assert_eq!((&link["verdict"], &link["notes"]), (&json!("no_backlink"), &json!(["scripted"])));
        assert_eq!((&link["shown"], &link["changed"]), (&json!(true), &Value::Null));
        let report = form.report(&with(arg(&list), BACKLINK));
        assert_eq!(named(&report["data"]["links"], "a")["changed"], "hidden");
    }
}
