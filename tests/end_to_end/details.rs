//! What checks see besides the verdict: redirects, certificates and notes, from the site to the outputs; and
//! where the backlink is looked for.

use chrono::{DateTime, NaiveTime, Utc};
use linkbeat_testbed::background;
use linkbeat_testbed::site::Site;
use linkbeat_testbed::site::tls::{Authority, until};
use serde_json::{Value, json};

use crate::support::form::{Form, arg, both_forms};
use crate::support::named;
use crate::support::site::{Answer, Street};

const BACKLINK: &str = r"https?://my\.blog";
/// Who vouches for every site over TLS. Nobody trusts it unless told to.
const AUTHORITY: &str = "Authority of the tests";

/// A site over TLS.
struct SecureSite {
    url: String,
    /// Its authority's certificate, for `worker.extra_ca`.
    authority: String,
    /// When its certificate ends.
    expires_at: DateTime<Utc>,
    _site: Site,
}

impl SecureSite {
    /// Gives this answer to every request, with a certificate that ends at midnight (UTC) after so many days.
    fn open(days: i64, answer: String) -> Self {
        let ends = (Utc::now() + chrono::Duration::days(days)).date_naive();
        let authority = Authority::new(AUTHORITY);
        let identity = authority.vouches_for("127.0.0.1", until(ends));
        let site = background(Site::plays_over_tls(identity, &[], move |mut visit| {
            let answer = answer.clone();
            async move {
                visit.request().await;
                visit.send(answer).await;
            }
        }));
        Self {
            url: site.https_url().expose().to_owned(),
            authority: authority.pem().to_owned(),
            expires_at: ends.and_time(NaiveTime::MIN).and_utc(),
            _site: site,
        }
    }
}

/// The item of a report and that of the stored link, of which both must know the details.
fn items(form: &Form, name: &str, args: &[&str]) -> [Value; 2] {
    let report = form.report(args);
    [&report["data"]["links"], &form.links()].map(|links| named(links, name).clone())
}

fn time(item: &Value) -> DateTime<Utc> {
    item.as_str().unwrap_or_else(|| panic!("no time: {item}")).parse().unwrap()
}

both_forms! {
    fn redirects_are_reported_in_their_order(form: &Form) {
        let street = Street::open();
        let url = street.set("old", Answer::Headers(301, "Location: /hop?step=1\r\n"));
        street.set("hop?step=1", Answer::Headers(302, "Location: new\r\n"));
        street.set("new", Answer::Page(200, String::new()));
        let base = url.trim_end_matches("old");
        let list = form.list(&format!("name,url\nmoved,{url}\nstays,{}\n", street.url("new")));
        let expected = json!([format!("{base}hop?step=1"), format!("{base}new")]);
        for item in items(form, "moved", &[arg(&list)]) {
            assert_eq!((&item["verdict"], &item["url"]), (&json!("up"), &json!(url)));
            assert_eq!((&item["redirects"], &item["notes"]), (&expected, &json!([])));
            assert_eq!((&item["tls_expires_at"], &item["tls_issuer"]), (&Value::Null, &Value::Null));
        }
        assert_eq!(named(&form.links(), "stays")["redirects"], json!([]));
        let csv = form.run(&["links", "list", "--format", "csv"]).expect(0).stdout;
        assert!(csv.contains(&format!("{base}hop?step=1 {base}new,")), "{csv}");
    }

    fn a_certificate_is_told_of_although_it_was_not_accepted(form: &Form) {
        let site = SecureSite::open(400, String::new());
        let list = form.list(&format!("name,url\na,{}\n", site.url));
        for item in items(form, "a", &[arg(&list)]) {
            assert_eq!((&item["verdict"], &item["reason"]["type"]), (&json!("down"), &json!("tls")));
            assert_eq!((time(&item["tls_expires_at"]), &item["tls_issuer"]), (site.expires_at, &json!(AUTHORITY)));
        }
    }

    /// A regex finds a text wherever it stands; people who click find only real links.
    fn the_backlink_is_found_as_text_or_as_a_real_link(form: &Form) {
        let street = Street::open();
        let page = |name: &str, html: &str| street.set(name, Answer::Page(200, html.to_owned()));
        let comment = page("comment", "<!-- <a href='https://my.blog/'>me</a> -->");
        let link = page("link", "<a class=x href='https://my.blog/'>me</a>");
        let list = form.list(&format!("name,url\ncomment,{comment}\nlink,{link}\n"));
        let report = |place: &str| {
            let report = form.report(&[arg(&list), "--backlink", BACKLINK, "--backlink-in", place]);
            ["comment", "link"].map(|name| named(&report["data"]["links"], name)["verdict"].clone())
        };
        assert_eq!(report("text"), ["up", "up"]);
        assert_eq!(report("anchor"), ["no_backlink", "up"]);
    }

    fn a_nofollow_backlink_counts_and_is_noted(form: &Form) {
        let street = Street::open();
        let html = "<a rel='external nofollow' href='https://my.blog/'>me</a>";
        let list = form.list(&format!("name,url\na,{}\n", street.set("a", Answer::Page(200, html.to_owned()))));
        let args = [arg(&list), "--backlink", BACKLINK, "--backlink-in", "anchor"];
        for item in items(form, "a", &args) {
            assert_eq!((&item["verdict"], &item["notes"]), (&json!("up"), &json!(["nofollow"])));
        }
        let table = form.run(&["links", "list"]).expect(0).stdout;
        assert!(table.contains("the backlink is nofollow"), "{table}");
    }
}

/// A form that trusts the site's authority.
fn trusting(site: &SecureSite) -> Form {
    let form = Form::embedded();
    form.folder.write("authority.pem", &site.authority);
    form.folder.write("linkbeat.toml", "[worker]\nextra_ca = 'authority.pem'\n");
    form
}

#[test]
fn a_certificate_that_is_about_to_expire_is_warned_of_while_all_is_well() {
    let site = SecureSite::open(6, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned());
    let form = trusting(&site);
    let list = form.list(&format!("name,url\na,{}\n", site.url));
    let table = |days: &str| {
        let args = [arg(&list), "--format", "table", "--warn-certificate-days", days];
        form.check(&args).expect(0).stdout
    };
    let warned = table("14");
    assert!(warned.contains("certificate expires in "), "{warned}");
    assert!(warned.contains("1 certificate about to expire"), "{warned}");
    assert!(table("3").starts_with("All is well"), "not yet");
    let [item, _] = items(&form, "a", &[arg(&list)]);
    assert_eq!((time(&item["tls_expires_at"]), &item["tls_issuer"]), (site.expires_at, &json!(AUTHORITY)));
    let listed = form.run(&["links", "list", "--lang", "zh"]).expect(0).stdout;
    assert!(listed.contains(&site.expires_at.format("%Y-%m-%d").to_string()), "{listed}");
    assert!(listed.contains("天后过期"), "{listed}");
}

#[test]
fn a_redirect_from_https_to_http_is_noted() {
    let street = Street::open();
    let plain = street.set("plain", Answer::Page(200, String::new()));
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {plain}\r\nContent-Length: 0\r\n\r\n");
    let site = SecureSite::open(400, answer);
    let form = trusting(&site);
    let list = form.list(&format!("name,url\na,{}\n", site.url));
    for item in items(&form, "a", &[arg(&list)]) {
        assert_eq!((&item["verdict"], &item["redirects"]), (&json!("up"), &json!([plain])));
        assert_eq!(item["notes"], json!(["downgraded"]));
        assert_eq!(item["tls_issuer"], AUTHORITY, "of the last server that showed one");
    }
}
