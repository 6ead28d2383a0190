//! Calls of the API, by the requests that they make.

use async_trait::async_trait;
use diesel::prelude::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;
use linkbeat_shared::RequestId;

use super::{Connection, Database, dialect};
use crate::error::Fault;
use crate::kept::Keep;
use crate::schema::api_calls;
use crate::traits::Calls;
use crate::values::{Id, Moment};
use crate::{Result, Work};

/// How long a call is known.
const KNOWN: chrono::TimeDelta = chrono::TimeDelta::hours(24);

#[async_trait]
impl Calls for Database {
    async fn keep_call(&self, request: RequestId, said: u64) -> Result<bool> {
        self.transaction(Work::Write, async move |connection| keep(connection, request, said).await).await
    }
}

async fn keep(connection: &mut Connection, request: RequestId, said: u64) -> Result<bool, Fault> {
    let (id, said, now) = (Id(request.0), said.cast_signed(), dialect::now(connection).await?);
    let old = api_calls::table.filter(api_calls::made_at.lt(Moment(now.0 - KNOWN)));
    diesel::delete(old).kept().execute(connection).await?;
    let call = (api_calls::request_id.eq(id), api_calls::said.eq(said), api_calls::made_at.eq(now));
    let insert = diesel::insert_into(api_calls::table).values(call);
    insert.on_conflict(api_calls::request_id).do_nothing().kept().execute(connection).await?;
    let known = api_calls::table.find(id).select(api_calls::said);
    Ok(known.kept().get_result::<i64>(connection).await? == said)
}
