//! A form that is sent twice files one run.

use linkbeat_shared::NewLink;
use linkbeat_shared::schedule::{NextTick, stored_request};
use linkbeat_shared::{LinkSelection, Request, RequestId, RequestOptions, ScheduleId};
use linkbeat_store::NewSchedule;
use serde_json::json;

use crate::known;
use crate::served::Served;

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

/// Sends a form and gives where it leads.
async fn send(served: &Served, path: &str, body: &str) -> String {
    let answer = served.ask(&format!("POST {path}"), &FORM, body).await;
    assert_eq!(answer.status, 303, "{path} {body}: {answer:?}");
    answer.header("location").unwrap().split('?').next().unwrap().to_owned()
}

/// The id that the first form of a page has.
async fn id_of(served: &Served, path: &str) -> String {
    let page = served.get(path).await.body;
    let field = page.split("name=\"request\" value=\"").nth(1).unwrap_or_else(|| panic!("{path}: no id"));
    field.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn each_form_that_files_a_run_does_so_once() {
    let served = Served::with(json!({})).await;
    let urls = ["https://a.example/", "https://b.example/"];
    let links = urls.map(|url| NewLink::from_url(url.parse().unwrap()));
    let ids = known::links(&served.store, links.into()).await;
    daily(&served).await;

    for (page, path, body) in [
        ("/", "/runs", String::new()),
        ("/runs", "/runs", String::new()),
        ("/links", "/links/actions", format!("action=check&id={}", ids[0])),
        ("/links", "/links/actions", "action=check&scope=all&sure=yes".to_owned()),
        (&format!("/links/{}", ids[0]), "/links/actions", format!("action=check&id={}", ids[0])),
    ] {
        let body = format!("{body}&request={}", id_of(&served, page).await);
        let first = send(&served, path, &body).await;
        assert!(first.starts_with("/runs/"), "{first}");
        assert_eq!(send(&served, path, &body).await, first, "{page}");
        let other = format!("{body}x").replace("request=", "no=");
        assert_ne!(send(&served, path, &other).await, first, "a form without an id asks each time");
        let next = format!("{body}&request={}", id_of(&served, page).await).replacen("&request", "&no", 1);
        assert_ne!(send(&served, path, &next).await, first, "a page that is loaded again asks anew");

        let (run, id) = (first.clone(), id_of(&served, &first).await);
        let repeated = send(&served, &format!("{run}/repeat"), &format!("request={id}")).await;
        assert_ne!(repeated, run);
        assert_eq!(send(&served, &format!("{run}/repeat"), &format!("request={id}")).await, repeated);
    }
    let id = id_of(&served, "/schedules").await;
    let run = send(&served, "/schedules/daily/run", &format!("request={id}")).await;
    assert_eq!(send(&served, "/schedules/daily/run", &format!("request={id}")).await, run);

    // The same page, and other links chosen.
    let id = id_of(&served, "/links").await;
    let one = send(&served, "/links/actions", &format!("action=check&id={}&request={id}", ids[0])).await;
    let two = send(&served, "/links/actions", &format!("action=check&id={}&request={id}", ids[1])).await;
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_pause_ends_when_the_question_said_so() {
    let served = Served::with(json!({})).await;
    let links = vec![NewLink::from_url("https://a.example/".parse().unwrap())];
    known::links(&served.store, links).await;
    let body = "action=pause&scope=all&until=2h";
    let asked = served.ask("POST /links/actions", &FORM, body).await;
    let field = asked.body.split("name=\"ends\" value=\"").nth(1).unwrap_or_else(|| panic!("{}", asked.body));
    let until = field.split('"').next().unwrap().replace("&#43;", "+");
    let named: chrono::DateTime<chrono::Utc> = until.parse().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let until: String = url::form_urlencoded::byte_serialize(until.as_bytes()).collect();
    let answer = format!("action=pause&scope=all&sure=yes&until=2h&ends={until}");
    assert!(send(&served, "/links/actions", &answer).await.starts_with("/links"));
    assert_eq!(
        served.store.links(None, 1).await.unwrap()[0].paused_until,
        Some(named),
        "and not two hours from now"
    );
}

async fn daily(served: &Served) {
    let request = Request::new(RequestId::new(), LinkSelection::Stored, RequestOptions::default(), None);
    let at = "2999-01-01T00:00:00Z".parse().unwrap();
    let schedule = NewSchedule {
        id: ScheduleId::new(),
        name: "daily".parse().unwrap(),
        spec: serde_json::from_value(json!({ "cron": "0 3 * * *", "time_zone": "UTC" })).unwrap(),
        request: stored_request(&request).unwrap(),
        next: NextTick { due: at, begins: at },
    };
    served.store.add_schedule(schedule).await.unwrap();
}
