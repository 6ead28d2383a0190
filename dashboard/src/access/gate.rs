//! The gate: what every request goes through.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use linkbeat_store::Scope;
use tokio::time::timeout;
use url::form_urlencoded;

use super::area::Area;
use super::caller::{Caller, Credential, bearer};
use super::client::Client;
use super::refusal::Refusal;
use super::{Access, Openness, headers, host, odd, origin};
use crate::connections::Pace;
use crate::serve::App;
use crate::settings::BasePath;

/// How long a request waits for its turn.
const QUEUE: Duration = Duration::from_secs(5);

/// How long a request may take until its answer begins.
const LONGEST: Duration = Duration::from_secs(60);
/// The same for what anybody may have: a login, its page and what that shows.
const LONGEST_OF_STRANGERS: Duration = Duration::from_secs(15);

/// A method that no route takes. It finds out what the router knows of a path, and no handler runs.
const PROBE: &str = "LINKBEAT-PROBE";

/// Lets a request through, or says why not. Behind the gate there is no base path.
pub(crate) async fn gate(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let inside = inside(&app.settings.base_path, &head.method, &head.uri, &next).await;
    head.extensions.insert(OriginalUri(std::mem::replace(&mut head.uri, inside)));
    let area = Area::of(head.uri.path());
    let mut response = match admit(&app, area, &head).await {
        Ok(caller) => {
            let client = Client::of(&head.extensions, &head.headers, &app.access.proxies);
            head.extensions.insert(client);
            head.extensions.insert(caller);
            let changes = !origin::only_reads(&head.method) && area != Area::Public;
            let mut forgets = Forgets(changes.then(|| app.clone()));
            let response = carry_out(&app.access, area, Request::from_parts(head, body), next).await;
            if response.status().is_client_error() {
                forgets.0 = None;
            }
            response
        }
        Err(refusal) => refuse(&app, area, refusal, Request::from_parts(head, body), next).await,
    };
    headers::add(response.headers_mut(), area);
    response
}

/// Has the feeds made anew once a change is through, also if nobody waits for its answer any more.
struct Forgets(Option<App>);

impl Drop for Forgets {
    fn drop(&mut self) {
        if let Some(app) = &self.0 {
            app.feeds.forget();
        }
    }
}

/// What is asked for, without the base path. Some proxies take that away themselves. So a path that does not begin with it is
/// taken as it is. Where both readings are possible, that one counts which a route takes, and the whole path first.
async fn inside(base: &BasePath, method: &Method, uri: &Uri, router: &Next) -> Uri {
    let Some(inside) = base.inside(uri) else { return uri.clone() };
    if !base.looks_like_ours() {
        return inside;
    }
    // Our own pages link to the path with a slash behind it.
    let is_base = uri.path() == base.join("");
    let reads_as_whole = !is_base && is_routed(method.clone(), inside.clone(), router.clone()).await;
    if reads_as_whole || !is_routed(method.clone(), uri.clone(), router.clone()).await {
        inside
    } else {
        uri.clone()
    }
}

/// Who asks, if they may have what they ask for.
async fn admit(app: &App, area: Area, head: &Parts) -> Result<Caller, Refusal> {
    let access = &app.access;
    let (uri, sent) = (&head.uri, &head.headers);
    if odd::is_odd(uri) {
        return Err(Refusal::Odd);
    }
    let host = host::of_request(uri, sent);
    let is_ours = || host.as_ref().is_some_and(|host| host::is_ours(host, &access.hosts));
    if access.openness == Openness::Everything && !is_ours() {
        return Err(Refusal::WrongHost);
    }
    let only_reads = origin::only_reads(&head.method);
    // No page can send a token of ours elsewhere than to its own site.
    if !only_reads && bearer(sent).is_none() && origin::is_foreign(sent, host.as_ref(), &access.origins) {
        return Err(Refusal::OtherSite);
    }
    let is_asset = area == Area::Public && only_reads && bearer(sent).is_none();
    let caller = match is_asset {
        true => Caller::anybody(access),
        false => Caller::of(access, &app.ports, Credential::among(sent)).await?,
    };
    let needed = if only_reads { Scope::Read } else { Scope::Write };
    let is_open = area == Area::Public || (area == Area::Feed && access.public_feeds);
    match is_open || caller.may(needed) {
        true => Ok(caller),
        false if caller.may(Scope::Read) && (caller.has_session() || bearer(sent).is_some()) => {
            Err(Refusal::ReadOnly)
        }
        false => Err(Refusal::NoToken),
    }
}

async fn carry_out(access: &Access, area: Area, request: Request, next: Next) -> Response {
    let longest = match area {
        Area::Public => LONGEST_OF_STRANGERS,
        Area::Api | Area::Feed | Area::Page => LONGEST,
    };
    // The login's page and what pages are made of cost next to nothing. Nobody waits for them behind others.
    let is_light = area == Area::Public && origin::only_reads(request.method());
    let is_known = request.extensions().get::<Caller>().is_some_and(|caller| caller.is_known());
    let places = if is_known { &access.under_way } else { &access.strangers };
    let pace = request.extensions().get::<Pace>().cloned().unwrap_or_default();
    let _turn = if is_light {
        None
    } else {
        let Ok(Ok(turn)) = timeout(QUEUE, places.acquire()).await else { return area.tell(Refusal::Busy) };
        Some(turn)
    };
    match timeout(longest, next.run(request)).await {
        Ok(_) if pace.was_too_slow() => area.tell(Refusal::SlowBody),
        Ok(response) => response,
        Err(_) => area.tell(Refusal::Slow),
    }
}

/// Tells a refusal. People who are not known are led to the login.
async fn refuse(app: &App, area: Area, refusal: Refusal, request: Request, next: Next) -> Response {
    match (area, refusal) {
        (Area::Page, Refusal::NoToken) if wants_page(&request) => to_login(app, &request),
        (Area::Api, Refusal::NoToken | Refusal::WrongToken | Refusal::ReadOnly) => {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            match is_routed(method, uri, next.clone()).await {
                true => area.tell(refusal),
                // The router says 404 or 405. No handler runs.
                false => next.run(request).await,
            }
        }
        _ => area.tell(refusal),
    }
}

/// Whether a handler takes this method of this path.
async fn is_routed(method: Method, uri: Uri, router: Next) -> bool {
    let Ok(probing) = Method::from_bytes(PROBE.as_bytes()) else { return true };
    let mut probe = Request::new(Body::empty());
    *probe.method_mut() = probing;
    *probe.uri_mut() = uri;
    let answer = router.run(probe).await;
    match answer.status() {
        StatusCode::NOT_FOUND => false,
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = answer.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok());
            allowed.is_none_or(|allowed| allowed.split(',').any(|allowed| allowed.trim() == method.as_str()))
        }
        _ => true,
    }
}

/// Whether a browser wants to show the answer to somebody.
fn wants_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

fn to_login(app: &App, request: &Request) -> Response {
    let login = app.settings.base_path.join("/login");
    // A form is not sent again after the login.
    let here = match *request.method() {
        Method::GET => request.uri().path_and_query().map(|here| here.as_str()),
        _ => None,
    };
    let to = match here.filter(|here| *here != "/") {
        Some(here) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("back", here).finish();
            format!("{login}?{query}")
        }
        None => login,
    };
    Redirect::to(&to).into_response()
}
