//! Backlinks as people really write them.

use linkbeat_shared::{BacklinkIn, CheckResult, CheckSpec, Note, Reason, RedirectKind, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::{Site, answer, chunk, page, redirect};
use crate::{asking_for, assert_judged, check, check_with, engine, settings, within, without_retries};

const PATTERN: &str = r"https?://my\.blog";

/// Checks a page that is sent as a whole, and byte by byte.
async fn checked(html: &str, pattern: &str, place: BacklinkIn) -> CheckResult {
    let whole = Site::answers(page(html)).await;
    let bytes = html.as_bytes().to_vec();
    let in_pieces = Site::plays(move |mut visit, _| {
        let bytes = bytes.clone();
        async move {
            visit.request().await;
            visit
                .send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            for piece in bytes.chunks(7) {
                visit.send(chunk(piece)).await;
            }
            visit.send("0\r\n\r\n").await;
        }
    })
    .await;
    let asked = without_retries(CheckSpec { backlink_in: place, ..asking_for(pattern) });
    let found = check(&whole.url("/"), &asked).await;
    let again = check(&in_pieces.url("/"), &asked).await;
    assert_eq!((again.verdict, &again.details), (found.verdict, &found.details), "{html} in pieces");
    found
}

#[tokio::test]
async fn a_link_is_found_in_every_spelling_a_browser_reads() {
    for html in [
        // Character references.
        "<a href='https:&#47;&#47;my.blog/'>me</a>",
        "<a href='https&#x3A;//my&#46;blog/'>me</a>",
        "<a href='https&colon;&sol;&sol;my&period;blog/'>me</a>",
        // Without a scheme, relative to a base.
        "<a href='//my.blog/'>me</a>",
        "<a href=//my.blog>me</a>",
        "<base href='https://my.blog/'><a href='links'>me</a>",
        "<p><A\nHREF = \"//my.blog/\">me</A>",
        // As browsers normalise hosts.
        "<a href='HTTPS://My.Blog/'>me</a>",
        "<a href='https://MY.BLOG'>me</a>",
        "<a href='//MY.blog/x'>me</a>",
        "<a href='https://my.Blog'>me</a>",
        "<a href='https://me@my.blog/a/long/path'>me</a>",
        "<a href='Https://my.blog'>me</a>",
        "<p>博客：Https://My.blog，欢迎</p><a href='hTTp://my.bLog/'>me</a>",
        "<a href='/go?url=Https%3A%2F%2FMy.blog'>me</a>",
        "<a href='https://my。blog/'>me</a>",
        "<a href='https://ｍｙ.blog/'>me</a>",
        "<a href='https://my%2Eblog/'>me</a>",
        "<a href='https://me:secret@my.blog/'>me</a>",
        "<a href='https:/my.blog/'>me</a>",
        // Jump pages.
        "<a href='/go?url=https%3A%2F%2Fmy.blog%2F'>me</a>",
        "<a href='/go?url=https%3a%2f%2fmy%2eblog'>me</a>",
        "<a href='/go?from=1&amp;target=https%253A%252F%252Fmy.blog'>me</a>",
        "<a href='/go?u=aHR0cHM6Ly9teS5ibG9nLw=='>me</a>",
        "<a href='/go?u=aHR0cHM6Ly9teS5ibG9nLw%3D%3D&amp;x=1'>me</a>",
        "<a href='https://friend.example/?golink=aHR0cHM6Ly9teS5ibG9nLw'>me</a>",
        "<a href='/go/aHR0cHM6Ly9teS5ibG9nLw'>me</a>",
        "<a href='/go/aHR0cHM6Ly9teS5ibG9nLw/'>me</a>",
        "<a href='/go/aHR0cHM6Ly9teS5ibG9nLw.html'>me</a>",
        "<a href='/go/aHR0cHM6Ly9teS5ibG9nLw/2?x'>me</a>",
        "<a href='/go;aHR0cHM6Ly9teS5ibG9nLw'>me</a>",
        "<a href='/go?u=%2F%2Fmy.blog'>me</a>",
        "<a href='/go?u=//my.blog&amp;x=1'>me</a>",
        // Base64 of base64.
        "<a href='/go?u=YUhSMGNITTZMeTl0ZVM1aWJHOW5Mdz09'>me</a>",
        // Of `Https://` and `HTTPS://`, and with a line break at the end.
        "<a href='/go?v=SHR0cHM6Ly9NeS5ibG9n'>me</a>",
        "<a href='/go?v=SFRUUFM6Ly9NWS5CTE9H'>me</a>",
        "<a href='/go?v=aHR0cHM6Ly9teS5ibG9nCg=='>me</a>",
        "<a href='/go.html#https%3A%2F%2Fmy.blog'>me</a>",
        "<a href='/go?u=Ly9teS5ibG9nLw=='>me</a>",
        // With letters of base64url: https://my.blog/?>>?
        "<a href='/go?u=aHR0cHM6Ly9teS5ibG9nLz8-Pj8'>me</a>",
        "<a href='/go?u=aHR0cHM6Ly9teS5ibG9nLz8%2BPj8%3D'>me</a>",
        // Spelled in several ways at once.
        "<a href='/go?url=https&#37;3A%2F%2Fmy.blog'>me</a>",
        "<a href='&#x2F;&#x2F;my.blog&#x2F;'>me</a>",
        "<a href='/go?a=1&amp;amp;url=https%3A%2F%2Fmy.blog'>me</a>",
        "<a href='\thttps://my.blog/\n'>me</a>",
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let result = checked(html, PATTERN, place).await;
            assert_eq!(result.verdict, Some(Verdict::Up), "{html} in {place:?}");
        }
    }
}

#[tokio::test]
async fn a_port_or_a_dot_that_goes_without_saying_is_none() {
    for html in [
        "<a href='https://my.blog:443/'>me</a>",
        "<p><a href=http://my.blog:80/x>me</a>",
        "<a href='https://my.blog:443'>me</a>",
        "<a href='//my.blog.'>me</a>",
        "<a href='/go?url=https%3A%2F%2Fmy.blog.%2F'>me</a>",
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let result = checked(html, r"https?://my\.blog/", place).await;
            assert_eq!(result.verdict, Some(Verdict::Up), "{html} in {place:?}");
        }
    }
}

#[tokio::test]
async fn a_host_is_found_in_its_letters_and_in_punycode() {
    for (html, pattern) in [
        ("<a href='https://我的.example/'>me</a>", r"https?://xn--wnu286b\.example"),
        ("<a href='https://blog.bücher.example/'>me</a>", r"https?://blog\.xn--bcher-kva\.example"),
        ("<a href='https://BÜCHER.example/'>me</a>", "https?://bücher"),
        ("<a href='https://xn--bcher-kva.example/x'>me</a>", r"https?://bücher\.example/x"),
        ("<a href='//www.xn--bcher-kva.example/'>me</a>", r"https?://www\.bücher\.example"),
        ("<a href='/go?u=https%3A%2F%2Fxn--bcher-kva.example'>me</a>", r"https?://bücher\.example"),
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let result = checked(html, pattern, place).await;
            assert_eq!(result.verdict, Some(Verdict::Up), "{html} in {place:?}");
        }
    }
}

#[tokio::test]
async fn strings_of_scripts_are_text_and_no_anchors() {
    for html in [
        "<script>location = atob('aHR0cHM6Ly9teS5ibG9n')</script>",
        "<a href='#' data-url='aHR0cHM6Ly9teS5ibG9nLw=='>me</a>",
        "<p data-url=aHR0cHM6Ly9teS5ibG9nLw>me</p>",
        "<p style='background: url(//my.blog/me.png)'>me</p>",
        r#"<script>var links = [{"name":"me","url":"https:\/\/my.blog\/"}];</script>"#,
        r#"<script type="application/json">{"url":"https:\u002f\u002Fmy.blog"}</script>"#,
        r#"<script>self.__next_f.push([1,"{\"url\":\"https:\\/\\/my.blog\"}"])</script>"#,
        r"<script>open('https:\x2f\x2fmy.blog')</script>",
        "<div data-links='[{&quot;url&quot;:&quot;https:\\/\\/my.blog&quot;}]'></div>",
        "<div data-links='[{&quot;url&quot;:&quot;//my.blog&quot;}]'></div>",
        "<script>location = decodeURIComponent('https%3A%2F%2Fmy.blog')</script>",
        "<script>location = '//my.blog'</script>",
        r#"<script>{"u":"https:\u002f\u002fmy\u002Eblog"}</script>"#,
        r#"<script>{"u":"\/\/my.blog"}</script>"#,
    ] {
        assert_eq!(checked(html, PATTERN, BacklinkIn::Text).await.verdict, Some(Verdict::Up), "{html}");
        let in_anchor = checked(html, PATTERN, BacklinkIn::Anchor).await;
        assert_eq!(in_anchor.verdict, Some(Verdict::NoBacklink), "{html}");
    }
}

#[tokio::test]
async fn patterns_may_speak_of_what_stands_around_a_link() {
    for (html, pattern) in [
        ("<a class=x href=\"https:&#47;&#47;my.blog/\">me", r#"<a[^>]+href="https?://my\.blog/?""#),
        ("<a class=x href=\"//my.blog/\" rel=me>me", r#"href="https?://my\.blog/"[^>]*rel=me"#),
        ("<a class=x href=\"/go?u=aHR0cHM6Ly9teS5ibG9n\">me", r#"href="https?://my\.blog"#),
        // No automaton is made of this one.
        ("<a class=x href=\"/go?u=aHR0cHM6Ly9teS5ibG9n\">me", r"\bmy\.blog\b"),
        ("<p>&#25105;&#30340;&#21338;&#23458;</p>", "我的博客"),
        ("<a href='https://我的.example/'>me", r"xn--"),
    ] {
        assert_eq!(checked(html, pattern, BacklinkIn::Text).await.verdict, Some(Verdict::Up), "{html}");
    }
}

#[tokio::test]
async fn what_is_no_link_back_stays_none() {
    for html in [
        "<a href='https://other.example/'>me</a>",
        "<a href='/my.blog'>me</a>",
        "<a href='/go?url=https%3A%2F%2Fother.example'>me</a>",
        "<a href='/go?u=aHR0cHM6Ly9vdGhlci5ibG9n'>me</a>",
        "<base href='/deep/'><a href='//other.example/'>a</a><a href='x%2F%2Fmy'>b</a>",
        "<script>var a = 'https:\\/\\/my' + '.other'; // my.blog\n</script>",
        "&#104;&#116;&#116;&#112; my.blog",
        "<a href='//my-blog.example'>&amp;&lt;&#x2F;</a>\\u00zz %2 %zz &#; &#xffffffff;",
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let result = checked(html, PATTERN, place).await;
            assert_eq!(result.verdict, Some(Verdict::NoBacklink), "{html} in {place:?}");
        }
    }
}

#[tokio::test]
async fn a_link_deep_in_a_long_page_is_found() {
    let filler =
        "<p>All work &amp; no play makes a <a href='/x?y=1&amp;z=2'>dull</a> page.</p>\n".repeat(3_000);
    let script = format!("<script>{}</script>", "var dull = 'work';".repeat(3_000));
    // One script that goes on for long before the link, and behind it.
    let in_script = |before: usize| {
        let dull = "var dull = 'work';";
        let link = r#"var me = "https:\/\/my.blog";"#;
        format!("<script>{}{link}{}</script>", dull.repeat(before), dull.repeat(500))
    };
    for before in (0..2_000).step_by(97) {
        let site = Site::answers(page(in_script(before))).await;
        let result = check(&site.url("/"), &without_retries(asking_for(PATTERN))).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "behind {before}");
    }
    for link in [
        "<a href='//my.blog'>",
        "<a href='/go?u=aHR0cHM6Ly9teS5ibG9n'>",
        r#"<script>"https:\/\/my.blog"</script>"#,
    ] {
        let html = [filler.as_str(), &script, link, "me", &filler].concat();
        let site = Site::answers(page(html)).await;
        let result = check(&site.url("/"), &without_retries(asking_for(PATTERN))).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{link}");
    }
}

#[tokio::test]
async fn nofollow_is_noted_wherever_the_pattern_is_searched() {
    let followed = "<a href='https://my.blog'>me</a>";
    for (html, noted) in [
        ("<a rel=nofollow href='https://my.blog'>me</a>", true),
        ("<a href='https://my.blog' rel='noopener NoFollow'>me</a>", true),
        ("<a rel='ugc' href='https://my.blog'>me</a>", true),
        ("<a rel='external sponsored' href='https://my.blog'>me</a>", true),
        ("<a rel='external,nofollow' href='https://my.blog'>me</a>", true),
        ("<a rel=nofollow href='Https://my.blog'>me</a>", true),
        ("<a rel=nofollow href='//my.blog'>me</a>", true),
        ("<a rel=nofollow href='/go?u=aHR0cHM6Ly9teS5ibG9n'>me</a>", true),
        ("<a title='a > b' rel=nofollow href='https://my.blog'>me</a>", true),
        ("<a rel='noopener me' href='https://my.blog'>me</a>", false),
        (&format!("<a rel=nofollow href='https://my.blog'>me</a>{followed}"), false),
        (&format!("{followed}<a rel=nofollow href='https://my.blog'>me</a>"), false),
        (&format!("<a rel=nofollow href='https://other.example'>x</a>{followed}"), false),
        ("<a rel=nofollow href='https://my.blog'>me</a><a href='//my.blog'>", false),
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            // No automaton is made of the second pattern.
            for pattern in [PATTERN, r"\bmy\.blog\b"] {
                let result = checked(html, pattern, place).await;
                assert_judged(&result, Verdict::Up, None);
                assert_eq!(result.details.notes.contains(&Note::Nofollow), noted, "{html} in {place:?}");
            }
        }
    }
    let in_text =
        checked("<a rel=nofollow href='https://my.blog'>x</a> https://my.blog", PATTERN, BacklinkIn::Text);
    assert!(in_text.await.details.notes.is_empty(), "it also stands outside of links");
}

#[tokio::test]
async fn a_refresh_is_followed_to_the_backlink_and_noted() {
    let site = Site::answers_by_path(|path| match path {
        "/meta" => page("<meta http-equiv='refresh' content='0; url=/links'>"),
        "/quoted" => page("<META HTTP-EQUIV=Refresh CONTENT=\"3;URL='/links'\">"),
        "/bare" => page("<meta http-equiv=refresh content=0;url=/links>"),
        "/mixed" => page("<meta content='0;url=\"/links\"' http-equiv='REFRESH'/>"),
        "/referenced" => page("<meta http-equiv='refresh' content='0&#59; url&#61;&#47;links'>"),
        "/header" => answer("200 OK", &["Content-Type: text/html", "Refresh: 0; url=/links"], "hello"),
        "/letters" => answer("200 OK", &["Content-Type: text/html", "Refresh: 0; url=/链接"], "hello"),
        "/%E9%93%BE%E6%8E%A5" => page("<a href='https://my.blog'>me</a>"),
        "/far" => page("<meta http-equiv='refresh' content='0; url=/away'>"),
        "/away" => redirect("302 Found", "/meta"),
        "/links" => page("<a href='https://my.blog'>me</a>"),
        "/itself" => page("<meta http-equiv='refresh' content='5; url=/itself'>"),
        "/news" => page("<meta http-equiv='refresh' content='300; url=/links'>"),
        "/comment" => page("<!-- <meta http-equiv='refresh' content='0; url=/links'> -->"),
        "/here" => page("<meta http-equiv='refresh' content='0; url=/gone'><a href='https://my.blog'>me</a>"),
        "/to-gone" => page("<meta http-equiv='refresh' content='0; url=/gone'>"),
        "/script" => page("<meta http-equiv='refresh' content='0; url=javascript:alert(1)'>"),
        "/circle" => page("<meta http-equiv='refresh' content='0; url=/circle2'>"),
        "/circle2" => page("<meta http-equiv='refresh' content='0; url=/circle'>"),
        "/loop" => page("<meta http-equiv='refresh' content='0; url=/loop2'>"),
        "/loop2" => redirect("302 Found", "/loop"),
        _ => answer("404 Not Found", &[], ""),
    })
    .await;
    let engine = engine();
    let asked = without_retries(asking_for(PATTERN));
    let missing = || Some(Reason::BacklinkMissing { truncated: false });
    let gone = || Some(Reason::Status { code: 404 });
    for (path, verdict, reason, hops, noted) in [
        ("/meta", Verdict::Up, None, 1, true),
        ("/quoted", Verdict::Up, None, 1, true),
        ("/bare", Verdict::Up, None, 1, true),
        ("/mixed", Verdict::Up, None, 1, true),
        ("/referenced", Verdict::Up, None, 1, true),
        ("/header", Verdict::Up, None, 1, true),
        ("/letters", Verdict::Up, None, 1, true),
        ("/far", Verdict::Up, None, 3, true),
        ("/itself", Verdict::NoBacklink, missing(), 0, false),
        ("/news", Verdict::NoBacklink, missing(), 0, false),
        ("/comment", Verdict::NoBacklink, missing(), 0, false),
        ("/here", Verdict::Up, None, 0, false),
        ("/to-gone", Verdict::Down, gone(), 1, true),
        ("/script", Verdict::NoBacklink, missing(), 0, false),
        ("/circle", Verdict::NoBacklink, missing(), 1, true),
        ("/loop", Verdict::Down, Some(Reason::Redirect { kind: RedirectKind::Loop }), 2, true),
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let asked = CheckSpec { backlink_in: place, ..asked.clone() };
            let result = check_with(&engine, &site.url(path), &asked).await;
            assert_eq!((result.verdict, &result.reason), (Some(verdict), &reason), "{path}");
            assert_eq!(result.details.redirects.len(), hops, "{path}");
            assert_eq!(result.details.notes.contains(&Note::MetaRefresh), noted, "{path}");
        }
    }
    // Where no backlink is asked for, the status has decided.
    let result = check_with(&engine, &site.url("/to-gone"), &within(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
}

#[tokio::test]
async fn a_refresh_obeys_the_guard_the_limit_of_hops_and_the_deadline() {
    let engine =
        Engine::new(&WorkerSettings { allow_network: vec!["127.0.0.1/32".parse().unwrap()], ..settings() })
            .unwrap();
    let inside = Site::plays_at([127, 0, 0, 9].into(), |mut visit, _| async move {
        visit.send(page("https://my.blog")).await;
    })
    .await;
    let to_inside = page(format!("<meta http-equiv=refresh content='0;url={}'>", inside.url("/")));
    let site = Site::answers_by_path(move |path| match path {
        "/inside" => to_inside.clone(),
        "/hang" => page("<meta http-equiv=refresh content='0;url=/silence'>"),
        "/silence" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec(),
        path => {
            let number: u32 = path.trim_start_matches('/').parse().unwrap();
            page(format!("<meta http-equiv=refresh content='0;url=/{}'>", number + 1))
        }
    })
    .await;
    let asked = without_retries(CheckSpec { timeout: within(1_000).timeout, ..asking_for(PATTERN) });
    let refused = check_with(&engine, &site.url("/inside"), &asked).await;
    assert_eq!(refused.verdict, Some(Verdict::Refused));
    assert_eq!(inside.visits(), 0);
    let result = check_with(&engine, &site.url("/0"), &asked).await;
    assert_judged(&result, Verdict::NoBacklink, Reason::BacklinkMissing { truncated: false });
    assert_eq!(result.details.redirects.len(), 10);
    let broken = check_with(&engine, &site.url("/hang"), &asked).await;
    assert_judged(&broken, Verdict::Down, Reason::BROKE_OFF);
}

#[tokio::test]
async fn pages_that_build_their_links_by_script_are_noted() {
    let static_text = "Words that stand in the page without any script, and more of them. ".repeat(6);
    let some_links = "<a href=/a>a</a> <a href=/b>b</a> <a href=/c>c</a> <a href=/d>d</a> <a href=/e>e</a> <a href=/f>f</a>";
    for (case, html, noted) in [
        ("an app", "<div id=app></div><script src=/assets/index.3f2a.js></script>".to_owned(), true),
        ("an app that says so", "<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div><script>boot()</script>".to_owned(), true),
        ("a fetched list", format!("{static_text}{some_links}<script>fetch('/data/friends.json').then(show)</script>"), true),
        ("a fetched API", format!("{static_text}<script>axios.get(\"/api/links\")</script>"), true),
        ("jQuery", format!("{static_text}<script>$.getJSON('https://cdn.example/me/flink.json', show)</script>"), true),
        ("Qexo", format!("{static_text}{some_links}<script src='https://unpkg.com/qexo-static@1.6.0/hexo/friends.js'></script>"), true),
        ("Friend-Circle-Lite", format!("{static_text}<script src=/main/fclite.min.js></script>"), true),
        ("a list below an API", format!("{static_text}{some_links}<script>fetch('/api/links/list')</script>"), true),
        ("a list of PHP", format!("{static_text}{some_links}<script>$.get('/links.php', show)</script>"), true),
        ("a bundle with a hash", format!("{static_text}{some_links}<script type=module src=/assets/links-3f2a1b.js></script>"), true),
        ("marks of links", format!("{static_text}{some_links}<script src=/js/external-links.js></script>"), false),
        ("Cloudflare", "<p>nothing</p><script>window.__CF$cv$params={r:'1'}</script>".to_owned(), false),
        ("previews of links", format!("{static_text}{some_links}<script src=/js/link-preview.js></script>"), false),
        ("a script of links at the end", format!("{}<script src=/js/links.min.js?v=2></script>", static_text.repeat(50)), true),
        ("a plain page", format!("{static_text}{some_links}"), false),
        ("a plain page with scripts", format!("{static_text}{some_links}<script src=/js/main.js></script><script>go()</script>"), false),
        ("few words and no script", "<p>nothing</p>".to_owned(), false),
        ("only counted", "<p>nothing</p><script async src='https://www.googletagmanager.com/gtag/js?id=1'></script><script>gtag('config')</script>".to_owned(), false),
        ("only data", "<p>nothing</p><script type='application/ld+json'>{\"a\":1}</script>".to_owned(), false),
        ("fetched news", format!("{static_text}{some_links}<script>fetch('/api/posts.json')</script>"), false),
        ("a word alone", format!("{static_text}{some_links}<script>var links = document.links;</script>"), false),
    ] {
        for place in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let result = checked(&html, PATTERN, place).await;
            assert_judged(&result, Verdict::NoBacklink, Reason::BacklinkMissing { truncated: false });
            assert_eq!(result.details.notes.contains(&Note::Scripted), noted, "{case}");
        }
    }
    let found =
        checked("<div id=app></div><script>var me = 'https://my.blog'</script>", PATTERN, BacklinkIn::Text)
            .await;
    assert_judged(&found, Verdict::Up, None);
    assert!(found.details.notes.is_empty(), "the backlink is there");
}
