use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use linkbeat_shared::Lang;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Parts, Places};
use crate::access::{Caller, Lookout};
use crate::pages::{Form, Made, Visit};
use crate::serve::App;

/// Most parts of one page.
const PARTS: usize = 20;
/// nginx holds an answer back otherwise.
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Sends the parts that a page names, and each again when it changes, until the dashboard stops or whoever looks may look no
/// longer. Proxies close streams on which nothing comes, so it has a heartbeat.
pub(crate) async fn stream(
    State(app): State<App>,
    v: Visit,
    caller: Caller,
    headers: HeaderMap,
    query: Form,
) -> Response {
    let Some(places) = app.live.places(caller.is_known()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut latest = app.live.subscribe();
    latest.mark_changed();
    let names = query.all("part").take(PARTS).map(str::to_owned).collect();
    let view = View {
        names,
        lang: v.lang,
        sent: HashMap::new(),
        to_send: VecDeque::new(),
        latest,
        stop: app.stop.clone(),
        lookout: Lookout::new(&app, caller, &headers, app.live.heartbeat),
        _places: places,
    };
    let events = futures::stream::unfold(view, async |mut view| Some((view.next().await?, view)));
    let events = Sse::new(futures::StreamExt::map(events, Ok::<_, Infallible>));
    ([NO_BUFFERING], events.keep_alive(KeepAlive::new().interval(app.live.heartbeat))).into_response()
}

/// One page that is looked at.
struct View {
    names: Vec<String>,
    lang: Lang,
    /// What the page has by now.
    sent: HashMap<String, Made>,
    to_send: VecDeque<(String, Made)>,
    latest: watch::Receiver<Arc<Parts>>,
    stop: CancellationToken,
    lookout: Lookout,
    _places: Places,
}

impl View {
    /// The next part that is new to the page. `None`: nothing more comes.
    async fn next(&mut self) -> Option<Event> {
        while self.to_send.is_empty() {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = self.lookout.ended() => return None,
                changed = self.latest.changed() => changed.ok()?,
            }
            let latest = Arc::clone(&self.latest.borrow_and_update());
            let parts = latest.in_language(self.lang);
            for name in &self.names {
                if let Some(part) = parts.get(name).filter(|part| self.sent.get(name) != Some(part)) {
                    self.sent.insert(name.clone(), part.clone());
                    self.to_send.push_back((name.clone(), part.clone()));
                }
            }
        }
        let (name, part) = self.to_send.pop_front()?;
        // A carriage return would end a line of the stream.
        Some(Event::default().event("part").id(name).data(part.as_str().replace('\r', " ")))
    }
}
