//! Signs of a lost friend, on real pages: the table says which notes each page gets. They are never verdicts.

use std::time::Duration;

use linkbeat_shared::{CheckResult, Note, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, answer, page, redirect};
use crate::{asking_for, assert_judged, assert_took, check, check_with, engine, settings, within};

/// A page as blogs have them: the text is long enough for its language to be told.
fn blog(lang: &str, title: &str, text: &str) -> String {
    let text = format!("<p>{text}</p>").repeat(4);
    format!(
        "<!doctype html><html lang='{lang}'><head><meta charset=utf-8><title>{title}</title></head>\
         <body><nav><a href=/>home</a><a href=/about>about</a></nav>{text}</body></html>"
    )
}

fn bare(head: &str, body: &str) -> String {
    format!("<!doctype html><html><head>{head}</head><body>{body}</body></html>")
}

const ENGLISH: &str =
    "Notes about gardens, trains and the sea, written on quiet evenings by somebody who likes them.";
const CHINESE: &str = "这里记录我的生活与技术笔记，欢迎来到我的小站，也欢迎交换友情链接。";
const JAPANESE: &str = "日々のことや技術のメモを書いています。どうぞゆっくりしていってください。";
const RUSSIAN: &str = "Заметки о программировании, путешествиях и книгах, которые я пишу по вечерам.";

/// A page, and the note and the language that it gets. No other notes may be there.
type Row = (&'static str, String, Option<Note>, Option<&'static str>);

/// Pages of living friends. Nothing is to be noted of any.
fn living() -> Vec<Row> {
    let up = |case, html, language| (case, html, None, language);
    vec![
        up("an English blog", blog("en", "Tom's Garden", ENGLISH), Some("en")),
        up("a Chinese blog", blog("zh-CN", "张三的博客", CHINESE), Some("zh")),
        up("a Chinese blog of an English theme", blog("en", "张三的博客", CHINESE), Some("zh")),
        up("a Japanese blog", blog("ja", "技術メモ", JAPANESE), Some("ja")),
        up("a Russian blog", blog("ru", "Заметки", RUSSIAN), Some("ru")),
        up("a Russian blog of an English theme", blog("en", "Заметки", RUSSIAN), Some("Cyrl")),
        up("no language", bare("<title>Tom</title>", &ENGLISH.repeat(3)), Some("Latn")),
        up("few words", bare("<title>Tom</title>", "hello"), None),
        up("nothing at all", String::new(), None),
        up(
            "a post on selling a domain",
            blog(
                "en",
                "How I sold my domain",
                "This domain is for sale, it said. Buy this domain! I made an offer.",
            ),
            Some("en"),
        ),
        up(
            "a Chinese post on the same",
            blog(
                "zh",
                "聊聊域名出售那些事",
                "域名出售的经验：本域名正在出售的页面是怎么做的，以及域名停放的收入。",
            ),
            Some("zh"),
        ),
        up("a car for sale", blog("en", "My old car is for sale", ENGLISH), Some("en")),
        up("a site named as a domain", blog("en", "tom.example is where I write", ENGLISH), Some("en")),
        up(
            "a post on parking",
            blog("en", "Parked on a hill", "We parked the car and looked for other parking."),
            Some("en"),
        ),
        up(
            "a link to a marketplace",
            blog(
                "en",
                "Tom",
                "See <a href='https://www.hugedomains.com/'>them</a> and <a href=https://sedo.com>Sedo</a>.",
            ),
            Some("en"),
        ),
        up(
            "an image of a marketplace",
            blog(
                "en",
                "Tom",
                "<img src='https://img.sedoparking.com/logo.png'> was on my old domain for a while.",
            ),
            Some("en"),
        ),
        up(
            "a quoted lander",
            blog(
                "en",
                "Tom",
                "<pre>&lt;script src=&quot;https://img1.wsimg.com/parking-lander/main.js&quot;&gt;</pre> is what it was.",
            ),
            Some("en"),
        ),
        up(
            "a comment of the theme",
            bare("<title>Tom</title><!-- data-adblockkey sedoparking.com -->", ENGLISH),
            Some("Latn"),
        ),
        up(
            "ads",
            blog(
                "en",
                "Tom",
                "<script src='https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js'></script>Words about gardens, and trains.",
            ),
            Some("en"),
        ),
        up(
            "counters",
            blog(
                "zh",
                "小站",
                "<script src='https://hm.baidu.com/hm.js?1'></script>欢迎来到我的小站，这里记录生活与技术，欢迎常来坐坐看看。",
            ),
            Some("zh"),
        ),
        up(
            "under construction",
            bare("<title>Coming soon</title>", "This site is under construction."),
            None,
        ),
        up(
            "nginx",
            bare(
                "<title>Welcome to nginx!</title>",
                "If you see this page, the nginx web server is successfully installed and working.",
            ),
            Some("Latn"),
        ),
        up("an app", bare("<title>Tom</title>", "<div id=app></div><script src=/app.js></script>"), None),
        up(
            "a wiki",
            blog(
                "de",
                "Gartenwiki",
                "Über Gärten, Züge und das Meer, an stillen Abenden geschrieben von jemandem, der sie mag.",
            ),
            Some("de"),
        ),
        up(
            "a shop",
            blog(
                "fr",
                "Boutique de thé",
                "Le thé, les tasses et les théières : tout est en vente ici, et le domaine de la maison aussi.",
            ),
            Some("fr"),
        ),
        up(
            "Arabic",
            blog("ar", "مدونة", "ملاحظات عن الحدائق والقطارات والبحر يكتبها شخص يحبها في الأمسيات الهادئة"),
            Some("ar"),
        ),
        up(
            "Korean",
            blog("ko-KR", "블로그", "정원과 기차와 바다에 대한 글을 조용한 저녁에 쓰고 있습니다 반갑습니다"),
            Some("ko"),
        ),
        up(
            "Thai",
            blog("th", "บล็อก", "บันทึกเกี่ยวกับสวน รถไฟ และทะเล เขียนในยามเย็นที่เงียบสงบโดยคนที่รักสิ่งเหล่านี้"),
            Some("th"),
        ),
        up(
            "Greek",
            blog(
                "el",
                "Ιστολόγιο",
                "Σημειώσεις για κήπους, τρένα και τη θάλασσα, γραμμένες τα ήσυχα βράδια.",
            ),
            Some("el"),
        ),
        up(
            "Hebrew",
            blog("he", "בלוג", "רשימות על גנים, רכבות והים, שנכתבו בערבים שקטים בידי מי שאוהב אותם"),
            Some("he"),
        ),
        up(
            "Hindi",
            blog("hi", "ब्लॉग", "बगीचों, रेलगाड़ियों और समुद्र के बारे में शांत शामों में लिखे गए विचार और लेख"),
            Some("hi"),
        ),
        up(
            "traditional Chinese",
            blog(
                "zh-Hant-TW",
                "小明的部落格",
                "這裡記錄我的生活與技術筆記，歡迎來到我的小站，也歡迎交換友情連結。",
            ),
            Some("zh"),
        ),
        up(
            "Chinese about code",
            blog(
                "zh",
                "代码笔记",
                "使用 async fn main() 与 tokio::spawn 来运行任务，然后用 select! 等待结果，这样就可以了。",
            ),
            Some("zh"),
        ),
        up(
            "English with a Chinese name",
            blog("en", "Zhang San 张三", &format!("{ENGLISH} 张三")),
            Some("en"),
        ),
        up(
            "a refresh on the same site",
            bare("<title>Tom</title><meta http-equiv=refresh content='0;url=/blog/'>", "soon"),
            None,
        ),
        up(
            "a page that reloads",
            bare("<title>Tom</title><meta http-equiv=refresh content=600>", "live"),
            None,
        ),
        up(
            "a title that a script sets",
            bare("<title></title>", "<script>document.title = 'x'</script>"),
            None,
        ),
        up("a resource page", blog("en", "Resources and information for gardeners", ENGLISH), Some("en")),
        up("a personal page", bare("<title>tom.example - Tom's notes</title>", ENGLISH), Some("Latn")),
        up("a registrar's fan", blog("en", "Registered my first domain at Namecheap", ENGLISH), Some("en")),
        up("domain notes", blog("zh", "我的域名 example.com 到期续费记", CHINESE), Some("zh")),
        up(
            "a question",
            blog("en", "Why is this website for sale? And other questions", ENGLISH),
            Some("en"),
        ),
        up(
            "a post on the end of a blog",
            blog("en", "This domain is for sale, and the blog moves on", ENGLISH),
            Some("en"),
        ),
        up("a post on swindlers", blog("en", "Domain for sale swindles, explained", ENGLISH), Some("en")),
        up(
            "a post on an expired domain",
            blog("en", "Your domain expired: how I got mine back", ENGLISH),
            Some("en"),
        ),
        up("another one", blog("en", "The domain expired while I slept", ENGLISH), Some("en")),
        up("a Chinese post on an expired domain", blog("zh", "域名已过期怎么办", CHINESE), Some("zh")),
        up("a Chinese post on buying one", blog("zh", "我是怎样买到心仪域名的", CHINESE), Some("zh")),
        up(
            "a German flea market",
            blog(
                "de",
                "Mein Garten ist zu verkaufen",
                "Notizen über Gärten, Züge und das Meer, an stillen Abenden geschrieben.",
            ),
            Some("de"),
        ),
        up(
            "a French shop",
            blog(
                "fr",
                "Le domaine viticole est en vente",
                "Le vin, les caves et les vignes : tout est en vente ici, et le reste aussi.",
            ),
            Some("fr"),
        ),
        up("a Russian post on domains", blog("ru", "Как продаётся домен: заметки", RUSSIAN), Some("ru")),
        up("a Japanese post on domains", blog("ja", "ドメインを販売してみた話", JAPANESE), Some("ja")),
        up("a host as the title", bare("<title>tom.example</title>", ENGLISH), Some("Latn")),
        up("a host and what is sold there", blog("en", "tom.example - books for sale", ENGLISH), Some("en")),
        up("a house of a domain", blog("en", "The domain of cats is for everybody", ENGLISH), Some("en")),
        up("an English name, Chinese text", blog("zh-CN", "Hello World", CHINESE), Some("zh")),
    ]
}

/// Pages of lost friends.
fn lost() -> Vec<Row> {
    let parked = |case, html| (case, html, Some(Note::Parked), None);
    vec![
        parked("HugeDomains", bare("<title>Tom.example is for sale | HugeDomains</title>", "Buy it")),
        parked("Dan", bare("<title>The domain name tom.example is for sale</title>", "")),
        parked("Sedo", bare("<title>tom.example - tom Resources and Information.</title>", "")),
        parked("Sedo's offer", bare("<title>This website is for sale! - tom Resources</title>", "")),
        parked("ad key", "<html data-adblockkey='MFwwDQYJ'><title>tom.example</title>".to_owned()),
        parked(
            "GoDaddy",
            bare("", "<script src='https://img1.wsimg.com/parking-lander/static/js/main.js'></script>"),
        ),
        parked(
            "GoDaddy's first page",
            bare("<script>window.onload=function(){window.location.href=\"/lander\"}</script>", ""),
        ),
        parked(
            "Squarespace",
            bare(
                "",
                "<script src='//assets.squarespace.com/universal/scripts-compressed/parking-page-1.js'></script>",
            ),
        ),
        parked("a frame of ParkingCrew", bare("", "<iframe src='https://www.parkingcrew.net/x'></iframe>")),
        parked("a frame set", "<frameset><frame src='http://domain.bodis.com/a'></frameset>".to_owned()),
        parked("Bodis", bare("", "<script>window.park = \"eyJ1dWlkIjo\";</script>")),
        parked("Namecheap", bare("<title>Registered at Namecheap.com</title>", "")),
        parked("Hostinger", bare("<title>Parked Domain name on Hostinger DNS system</title>", "")),
        parked("a Chinese offer", bare("<title>本域名正在出售</title>", "")),
        parked("another one", bare("<title>tom.example 域名出售_域名转让</title>", "")),
        parked("a visited one", bare("<title>您访问的域名正在出售！</title>", "")),
        parked("Chinese, expired", bare("<title>域名已过期</title>", "")),
        parked(
            "GoDaddy's offer",
            bare("<title>tom.example domain name is for sale. Inquire now.</title>", ""),
        ),
        parked(
            "Afternic's offer",
            bare("<title>tom.example is available for purchase - Sedo.com</title>", ""),
        ),
        parked(
            "Sedo's other offer",
            bare("<title>tom.example - This website is for sale! - tom</title>", ""),
        ),
        parked("a premium domain", bare("<title>This premium domain is for sale</title>", "")),
        parked("a bare offer", bare("<title>Domain for sale: tom.example</title>", "")),
        parked("an offer behind the host", bare("<title>tom.example | Domain for sale</title>", "")),
        parked("Porkbun", bare("<title>tom.example | parked domain</title>", "")),
        parked("an expired domain", bare("<title>This domain has expired!</title>", "")),
        parked("a host that expired", bare("<title>tom.example expired</title>", "")),
        parked("a German offer", bare("<title>tom.example steht zum Verkauf</title>", "")),
        parked("a German one without the host", bare("<title>Diese Domain ist zu verkaufen</title>", "")),
        parked("a French offer", bare("<title>Le nom de domaine tom.example est à vendre</title>", "")),
        parked("a Spanish offer", bare("<title>Este dominio está en venta</title>", "")),
        parked("a Russian offer", bare("<title>Домен tom.example продаётся</title>", "")),
        parked("a Polish offer", bare("<title>Domena tom.example jest na sprzedaż</title>", "")),
        parked("a Dutch offer", bare("<title>tom.example is te koop</title>", "")),
        parked("an Italian offer", bare("<title>Questo dominio è in vendita</title>", "")),
        parked("a Japanese offer", bare("<title>このドメインはお名前.comで販売中です</title>", "")),
        parked(
            "a refresh",
            bare("<meta http-equiv=refresh content='0;url=https://tom.example.sedoparking.com/'>", ""),
        ),
    ]
}

fn notes(result: &CheckResult) -> Vec<Note> {
    result.details.notes.iter().copied().filter(|note| *note != Note::MovedDomain).collect()
}

/// All pages, with a backlink asked for and without.
async fn played(rows: Vec<Row>) -> (usize, Vec<String>) {
    let engine = engine();
    let (pages, mut surprises) = (rows.len(), Vec::new());
    for (case, html, note, language) in rows {
        let site = Site::answers(page(html + "<!-- me.example -->")).await;
        for spec in [within(5_000), asking_for("me\\.example")] {
            let result = check_with(&engine, &site.url("/"), &spec).await;
            assert_judged(&result, Verdict::Up, None);
            if notes(&result) != Vec::from_iter(note) {
                surprises.push(format!("{case}: {:?}", result.details.notes));
            }
            if note.is_none() && result.details.language.as_deref() != language {
                surprises.push(format!("{case}: {:?}", result.details.language));
            }
        }
    }
    (pages, surprises)
}

#[tokio::test]
async fn no_page_of_a_living_friend_is_noted() {
    let (pages, surprises) = played(living()).await;
    assert!(pages >= 55, "only {pages} pages");
    assert_eq!(surprises, Vec::<String>::new(), "of {pages} pages");
}

#[tokio::test]
async fn parked_pages_are_noted() {
    let (_, surprises) = played(lost()).await;
    assert_eq!(surprises, Vec::<String>::new());
}

#[tokio::test]
async fn the_title_is_told_in_one_line() {
    for (html, expected) in [
        ("<title>\n Tom &amp; I \n</title>", Some("Tom & I")),
        ("<TITLE lang=en>a<b>c</title>", Some("a<b>c")),
        ("<title>first</title><title>second</title>", Some("first")),
        ("<svg><title>icon</title></svg><title>Tom</title>", Some("Tom")),
        ("<title>Just a moment...</title>", None),
        ("<title></title>", None),
        ("no title", None),
    ] {
        let site = Site::answers(page(html)).await;
        for spec in [within(5_000), asking_for("nothing of it")] {
            assert_eq!(check(&site.url("/"), &spec).await.details.title.as_deref(), expected, "{html}");
        }
    }
    let gbk = encoding_rs::GBK.encode("<title>张三的博客，这里是友情链接页面</title>").0.into_owned();
    let site = Site::answers(answer("200 OK", &["Content-Type: text/html; charset=gbk"], gbk)).await;
    let title = check(&site.url("/"), &within(5_000)).await.details.title;
    assert_eq!(title.as_deref(), Some("张三的博客，这里是友情链接页面"));
    let long = Site::answers(page(format!("<title>{}</title>", "我".repeat(5_000)))).await;
    assert_eq!(check(&long.url("/"), &within(5_000)).await.details.title.unwrap().chars().count(), 200);
}

#[tokio::test]
async fn a_page_that_does_not_come_keeps_nobody_waiting() {
    let hanging = Site::plays(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<title>Tom</title>").await;
        visit.wait_for_end().await;
    })
    .await;
    let result = check(&hanging.url("/"), &within(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
    assert_took(&result, Duration::ZERO, Duration::from_millis(400));
    assert_eq!(result.details.title.as_deref(), Some("Tom"));
    let image = Site::answers(answer("200 OK", &["Content-Type: image/png"], "<title>Tom</title>")).await;
    assert_eq!(check(&image.url("/"), &within(5_000)).await.details.title, None);
    let gone = Site::answers(answer("404 Not Found", &[], "<title>Not found</title>")).await;
    assert_eq!(check(&gone.url("/"), &within(5_000)).await.details.title, None);
}

#[tokio::test]
async fn a_redirect_to_another_domain_is_noted() {
    let site = Site::plays(|mut visit, _| async move {
        let request = visit.request().await;
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let host = request.split("Host: ").nth(1).or(request.split("host: ").nth(1)).unwrap_or_default();
        let port = host.lines().next().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
        let to = |host: &str| redirect("301 Moved", &format!("http://{host}:{port}/"));
        match path.as_str() {
            "/www" => visit.send(to("www.tom.test")).await,
            "/away" => visit.send(to("casino.test")).await,
            "/back" => visit.send(redirect("302 Found", &format!("http://other.test:{port}/home"))).await,
            "/home" => visit.send(to("tom.test")).await,
            "/parked" => visit.send(to("ww16.tom.test")).await,
            "/market" => visit.send(to("www.hugedomains.com")).await,
            "/refresh" => {
                visit
                    .send(page("<meta http-equiv=refresh content='0;url=http://casino.test/'>me.example"))
                    .await;
            }
            _ => visit.send(page("me.example")).await,
        }
    })
    .await;
    let names = NameServer::that(|_| Says::Addresses(vec![std::net::Ipv4Addr::LOCALHOST.into()])).await;
    let engine = Engine::new(&WorkerSettings { resolver: vec![names.address()], ..settings() }).unwrap();
    for (path, expected) in [
        ("", &[][..]),
        ("www", &[]),
        ("away", &[Note::MovedDomain]),
        ("back", &[]),
        ("parked", &[Note::Parked]),
        ("market", &[Note::MovedDomain, Note::Parked]),
        ("refresh", &[Note::MovedDomain]),
    ] {
        for spec in [within(5_000), asking_for("me\\.example")] {
            let url = site.url_at("tom.test").join(&format!("/{path}")).unwrap();
            let result = check_with(&engine, &url, &spec).await;
            assert_judged(&result, Verdict::Up, None);
            assert_eq!(Vec::from_iter(result.details.notes), expected, "{path}");
        }
    }
}
