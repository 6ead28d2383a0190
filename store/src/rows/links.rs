//! Links: rows of `links` and `removed_links`.

use diesel::{AsChangeset, Queryable, QueryableByName, Selectable};
use linkbeat_shared::{
    Attributes, Known, Link, LinkId, LinkName, LinkState, LinkUrl, NewLink, Pin, Pinned, RunId,
};

use super::{ChangeRow, link_document, number, of_link, parse, reason};
use crate::LinkChanges;
use crate::error::Fault;
use crate::schema::{links, removed_links};
use crate::values::{Document, Id, Moment, json};

/// A link, except for the times that only SQL reads.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, QueryableByName, Selectable, AsChangeset)]
#[diesel(table_name = links, treat_none_as_null = true)]
pub(crate) struct LinkRow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) url_key: String,
    pub(crate) host: String,
    pub(crate) page_url: Option<String>,
    pub(crate) group_name: Option<String>,
    pub(crate) attributes: Option<Document>,
    /// As somebody said it. [`LinkRow::is_active`] knows whether a pause has ended.
    pub(crate) active: bool,
    pub(crate) paused_until: Option<Moment>,
    pub(crate) backlink: bool,
    pub(crate) shown: bool,
    pub(crate) shown_since: Moment,
    pub(crate) hidden_reason: Option<Document>,
    pub(crate) verdict: Option<String>,
    pub(crate) verdict_since: Option<Moment>,
    pub(crate) reason: Option<Document>,
    pub(crate) status: Option<i32>,
    pub(crate) elapsed_ms: Option<i64>,
    pub(crate) details: Option<Document>,
    pub(crate) phases: Option<String>,
    pub(crate) last_checked_at: Option<Moment>,
    pub(crate) last_run_id: Option<Id>,
    pub(crate) last_run_seq: i64,
    pub(crate) passed_in_a_row: i64,
    pub(crate) failed_in_a_row: i64,
    pub(crate) pin: Option<String>,
    pub(crate) pin_note: Option<String>,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(crate) struct CountRow {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(crate) count: i64,
}

/// What a link was called that is no longer stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = removed_links)]
pub(crate) struct RemovedLinkRow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) url: String,
}

impl LinkRow {
    /// The row of a link that was not stored before.
    pub(crate) fn new(link: &NewLink, key: String, now: Moment) -> Self {
        Self {
            id: Id(LinkId::new().0),
            name: link.name.clone().unwrap_or_else(|| LinkName::from_host(&link.url)).into(),
            url: link.url.expose().to_owned(),
            url_key: key,
            host: link.page_url.as_ref().unwrap_or(&link.url).host().to_owned(),
            page_url: link.page_url.as_ref().map(|url| url.expose().to_owned()),
            group_name: link.group.as_ref().map(|group| group.as_str().to_owned()),
            attributes: attributes_document(&link.attributes),
            active: link.active.unwrap_or(true) && link.paused_until.is_none(),
            paused_until: link.paused_until.map(Moment),
            backlink: link.backlink.unwrap_or(true),
            shown: link.pin.as_ref().map_or(link.shown.unwrap_or(true), |pin| pin.to.is_shown()),
            shown_since: now,
            hidden_reason: None,
            verdict: None,
            verdict_since: None,
            reason: None,
            status: None,
            elapsed_ms: None,
            details: None,
            phases: None,
            last_checked_at: None,
            last_run_id: None,
            last_run_seq: 0,
            passed_in_a_row: 0,
            failed_in_a_row: 0,
            pin: link.pin.as_ref().map(|pin| pin.to.as_str().to_owned()),
            pin_note: link.pin.as_ref().and_then(note),
        }
    }

    /// Takes over what an import says about a stored link.
    pub(crate) fn update(&mut self, link: &NewLink) -> Result<(), Fault> {
        // linkbeat writes URLs without userinfo. Such a one never takes the place of its whole one.
        if link.url.expose() != self.url_key {
            link.url.expose().clone_into(&mut self.url);
        }
        let page_url = link.page_url.clone().filter(|page| !self.is_page_without_user(page));
        self.edit(&LinkChanges {
            name: link.name.clone(),
            page_url,
            active: link.active,
            paused_until: link.paused_until,
            backlink: link.backlink,
            group: link.group.clone(),
            attributes: link.attributes.clone(),
            without: link.without,
            ..LinkChanges::default()
        })
    }

    /// Whether this is the stored links page, without the userinfo that this has.
    fn is_page_without_user(&self, page: &LinkUrl) -> bool {
        let stored = self.page_url.as_deref().and_then(|stored| LinkUrl::parse(stored).ok());
        stored.is_some_and(|stored| stored.key() == page.expose())
    }

    /// What a check of it fetches: the URL, and the links page where that is another.
    pub(crate) fn fetched(&self) -> (String, Option<String>) {
        (self.url_key.clone(), self.page_url.clone())
    }

    /// Makes the changes of a person, except to what is shown.
    fn edit(&mut self, changes: &LinkChanges) -> Result<(), Fault> {
        if let Some(name) = &changes.name {
            name.as_str().clone_into(&mut self.name);
        }
        if let Some(url) = &changes.url {
            url.expose().clone_into(&mut self.url);
            self.url_key = url.key();
        }
        if let Some(page_url) = &changes.page_url {
            self.page_url = Some(page_url.expose().to_owned());
        }
        if changes.without.page_url {
            self.page_url = None;
        }
        if changes.url.is_some() || changes.page_url.is_some() || changes.without.page_url {
            let fetched = self.page_url.as_ref().unwrap_or(&self.url);
            parse::<LinkUrl>(fetched, "links.url")?.host().clone_into(&mut self.host);
        }
        if let Some(group) = &changes.group {
            self.group_name = Some(group.as_str().to_owned());
        }
        if changes.without.group {
            self.group_name = None;
        }
        if !changes.attributes.is_empty() || !changes.without.is_empty() {
            let mut attributes = attributes(self.attributes.as_ref())?;
            attributes.update(&changes.attributes);
            attributes.clear(changes.without);
            self.attributes = attributes_document(&attributes);
        }
        if changes.active.is_some() || changes.paused_until.is_some() {
            self.active = changes.active.unwrap_or(true) && changes.paused_until.is_none();
            self.paused_until = changes.paused_until.map(Moment);
        }
        self.backlink = changes.backlink.unwrap_or(self.backlink);
        Ok(())
    }

    /// Makes the changes of a person. Returns the hiding or showing that is among them.
    pub(crate) fn set(&mut self, changes: &LinkChanges, now: Moment) -> Result<Option<ChangeRow>, Fault> {
        self.edit(changes)?;
        let pin = changes.pin.as_ref().or(changes.shown.is_some().then_some(&None));
        if let Some(pin) = pin {
            self.pin = pin.as_ref().map(|pin| pin.to.as_str().to_owned());
            self.pin_note = pin.as_ref().and_then(note);
        }
        let pinned = changes.pin.as_ref().and_then(Option::as_ref).map(|pin| pin.to.is_shown());
        let Some(shown) = pinned.or(changes.shown) else { return Ok(None) };
        let before = Visible::of(self);
        self.shown = shown;
        self.hidden_reason = None;
        self.passed_in_a_row = 0;
        self.failed_in_a_row = 0;
        // Whoever hides or shows a link has seen its page: what it is like by now is learnt anew.
        let (details, _) = of_link(self.details.as_ref())?;
        self.details = link_document(details, Known::default());
        Ok(self.changed_since(before, None, now))
    }

    /// Whether runs check it: nobody paused it, or its pause has ended.
    pub(crate) fn is_active(&self, now: Moment) -> bool {
        self.active || self.paused_until.is_some_and(|until| until <= now)
    }

    /// Whether a person hid or showed it for good.
    pub(crate) fn pinned(&self) -> Result<Option<Pinned>, Fault> {
        self.pin.as_deref().map(|word| parse(word, "links.pin")).transpose()
    }

    pub(crate) fn state(&self) -> Result<LinkState, Fault> {
        let (details, known) = of_link(self.details.as_ref())?;
        Ok(LinkState {
            shown: self.shown,
            hidden_reason: reason(self.hidden_reason.as_ref(), "links.hidden_reason")?,
            verdict: self.verdict.as_deref().map(|word| parse(word, "links.verdict")).transpose()?,
            reason: reason(self.reason.as_ref(), "links.reason")?,
            status: self.status.map(|status| number(status, "links.status")).transpose()?,
            elapsed_ms: self.elapsed_ms.map(|ms| number(ms, "links.elapsed_ms")).transpose()?,
            details,
            phases: self.phases.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            known,
            last_checked_at: self.last_checked_at.map(|moment| moment.0),
            last_run_id: self.last_run_id.map(|id| RunId(id.0)),
            passed_in_a_row: number(self.passed_in_a_row, "links.passed_in_a_row")?,
            failed_in_a_row: number(self.failed_in_a_row, "links.failed_in_a_row")?,
        })
    }

    /// Takes over the state that a result of this run gives the link. Returns what changed visibly at `at`.
    pub(crate) fn set_state(
        &mut self,
        state: LinkState,
        run: RunId,
        run_seq: i64,
        at: Moment,
    ) -> Option<ChangeRow> {
        let before = Visible::of(self);
        self.shown = state.shown;
        self.hidden_reason = state.hidden_reason.as_ref().map(Document::of);
        self.verdict = state.verdict.map(|verdict| verdict.as_str().to_owned());
        self.reason = state.reason.as_ref().map(Document::of);
        self.status = state.status.map(i32::from);
        self.elapsed_ms = state.elapsed_ms.map(i64::from);
        self.details = link_document(state.details, state.known);
        self.phases = state.phases.as_ref().map(json);
        self.last_checked_at = state.last_checked_at.map(Moment);
        self.last_run_id = Some(Id(run.0));
        self.last_run_seq = run_seq;
        self.passed_in_a_row = state.passed_in_a_row.into();
        self.failed_in_a_row = state.failed_in_a_row.into();
        self.changed_since(before, Some(Id(run.0)), at)
    }

    /// Compares with what was visible before, and keeps since when it has been so.
    fn changed_since(&mut self, before: Visible, run_id: Option<Id>, at: Moment) -> Option<ChangeRow> {
        let after = Visible::of(self);
        if after == before {
            return None;
        }
        if after.shown != before.shown {
            self.shown_since = at;
        }
        if after.verdict != before.verdict {
            self.verdict_since = Some(at);
        }
        Some(ChangeRow {
            link_id: self.id,
            run_id,
            at,
            was_shown: before.shown,
            shown: after.shown,
            former_verdict: before.verdict,
            verdict: after.verdict,
            reason: self.reason.clone(),
        })
    }
}

/// What a row of `changes` tells of.
#[derive(PartialEq, Eq)]
struct Visible {
    shown: bool,
    verdict: Option<String>,
}

impl Visible {
    fn of(row: &LinkRow) -> Self {
        Self { shown: row.shown, verdict: row.verdict.clone() }
    }
}

fn note(pin: &Pin) -> Option<String> {
    pin.note.as_ref().map(|note| note.as_str().to_owned())
}

fn attributes(stored: Option<&Document>) -> Result<Attributes, Fault> {
    stored.map_or_else(|| Ok(Attributes::default()), |document| document.read("links.attributes"))
}

fn attributes_document(attributes: &Attributes) -> Option<Document> {
    (!attributes.is_empty()).then(|| Document::of(attributes))
}

impl TryFrom<LinkRow> for Link {
    type Error = Fault;

    fn try_from(row: LinkRow) -> Result<Self, Fault> {
        let (state, pinned) = (row.state()?, row.pinned()?);
        let active = row.is_active(Moment::now());
        let note = row.pin_note.as_deref().map(|note| parse(note, "links.pin_note")).transpose()?;
        Ok(Self {
            id: LinkId(row.id.0),
            name: LinkName::parse(&row.name)
                .map_err(|error| Fault::Corrupt(format!("links.name: {error}")))?,
            url: parse(&row.url, "links.url")?,
            page_url: row.page_url.map(|url| parse(&url, "links.page_url")).transpose()?,
            active,
            paused_until: row.paused_until.filter(|_| !active).map(|until| until.0),
            backlink: row.backlink,
            group: row.group_name.map(|group| parse(&group, "links.group_name")).transpose()?,
            attributes: attributes(row.attributes.as_ref())?,
            pin: pinned.map(|to| Pin { to, note }),
            state,
        })
    }
}
