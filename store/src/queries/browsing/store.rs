use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::{GroupName, LinkId, LinkReport, RunId, RunState};

use super::super::Database;
use super::Connection;
use crate::traits::{
    Browsing, ChangeQuery, Count, LinkQuery, LinkSort, LinkTotal, ListedChange, ListedCheck, ListedLink,
    ListedRun, Page, PageOf, ParkedJob, ReportLinks, RunLinkSort,
};
use crate::{Result, Work};

#[async_trait]
impl Browsing for Database {
    async fn browse_links(
        &self,
        query: &LinkQuery,
        sort: LinkSort,
        page: &PageOf,
    ) -> Result<Page<ListedLink>> {
        let (query, page) = (query.clone(), page.clone());
        let read =
            async move |connection: &mut Connection| super::links(connection, &query, sort, &page).await;
        self.transaction(Work::Read, read).await
    }

    async fn browse_counted_links(
        &self,
        query: &LinkQuery,
        sort: LinkSort,
        page: &PageOf,
        most: u32,
    ) -> Result<(Page<ListedLink>, Count)> {
        let (query, page) = (query.clone(), page.clone());
        let read = async move |connection: &mut Connection| {
            super::counted_links(connection, &query, sort, &page, most).await
        };
        self.transaction(Work::Read, read).await
    }

    async fn listed_link(&self, id: LinkId) -> Result<Option<ListedLink>> {
        self.transaction(Work::Read, async move |connection| super::listed(connection, id).await).await
    }

    async fn count_links(&self, query: &LinkQuery, most: u32) -> Result<Count> {
        let query = query.clone();
        self.transaction(Work::Read, async move |connection| super::count(connection, &query, most).await)
            .await
    }

    async fn matching_ids(
        &self,
        query: &LinkQuery,
        after: Option<LinkId>,
        limit: u32,
    ) -> Result<Vec<LinkId>> {
        let query = query.clone();
        let read =
            async move |connection: &mut Connection| super::ids(connection, &query, after, limit).await;
        self.transaction(Work::Read, read).await
    }

    async fn link_totals(&self) -> Result<Vec<LinkTotal>> {
        self.transaction(Work::Read, async |connection| super::totals(connection).await).await
    }

    async fn link_groups(&self, limit: u32) -> Result<Vec<(GroupName, u64)>> {
        self.transaction(Work::Read, async move |connection| super::groups(connection, limit).await).await
    }

    async fn certificates_ending(&self, before: DateTime<Utc>, limit: u32) -> Result<Vec<ListedLink>> {
        let read = async move |connection: &mut Connection| {
            super::certificates_ending(connection, before, limit).await
        };
        self.transaction(Work::Read, read).await
    }

    async fn browse_changes(&self, query: &ChangeQuery, page: &PageOf) -> Result<Page<ListedChange>> {
        let (query, page) = (*query, page.clone());
        self.transaction(Work::Read, async move |connection| super::changes(connection, &query, &page).await)
            .await
    }

    async fn browse_runs(&self, state: Option<RunState>, page: &PageOf) -> Result<Page<ListedRun>> {
        let page = page.clone();
        self.transaction(Work::Read, async move |connection| super::runs(connection, state, &page).await)
            .await
    }

    async fn browse_checks(&self, link: LinkId, page: &PageOf) -> Result<Page<ListedCheck>> {
        let page = page.clone();
        let read =
            async move |connection: &mut Connection| super::checks_of_link(connection, link, &page).await;
        self.transaction(Work::Read, read).await
    }

    async fn browse_run_links(
        &self,
        run: RunId,
        which: ReportLinks,
        sort: RunLinkSort,
        page: &PageOf,
    ) -> Result<Page<LinkReport>> {
        let page = page.clone();
        let read = async move |connection: &mut Connection| {
            super::links_of_run(connection, run, which, sort, &page).await
        };
        self.transaction(Work::Read, read).await
    }

    async fn browse_parked(&self, page: &PageOf) -> Result<Page<ParkedJob>> {
        let page = page.clone();
        self.transaction(Work::Read, async move |connection| super::parked(connection, &page).await).await
    }
}
