//! Who may use the dashboard: tokens and sessions.

use std::time::Duration;

use diesel::prelude::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;

use super::{Connection, dialect};
use crate::error::Fault;
use crate::rows::{NewTokenRow, SessionRow, TokenRow};
use crate::schema::{sessions, tokens};
use crate::traits::{Hash, Scope, StoredToken, TokenName};
use crate::values::Moment;

/// So many ended sessions are forgotten when a new one begins.
const FORGET: i64 = 1_000;

pub(super) async fn token(connection: &mut Connection, hash: &Hash) -> Result<Option<StoredToken>, Fault> {
    let token = tokens::table.filter(tokens::hash.eq(&hash[..])).select(TokenRow::as_select());
    let row: Option<TokenRow> = token.first(connection).await.optional()?;
    row.map(StoredToken::try_from).transpose()
}

pub(super) async fn tokens(connection: &mut Connection) -> Result<Vec<StoredToken>, Fault> {
    let rows = tokens::table.order(tokens::name).select(TokenRow::as_select());
    let rows: Vec<TokenRow> = rows.load(connection).await?;
    rows.into_iter().map(StoredToken::try_from).collect()
}

pub(super) async fn add_token(
    connection: &mut Connection,
    name: &TokenName,
    hash: &Hash,
    scope: Scope,
) -> Result<bool, Fault> {
    let made_at = dialect::now(connection).await?;
    let row = NewTokenRow { name: name.as_str(), hash, scope: scope.as_str(), made_at };
    let insert = diesel::insert_into(tokens::table).values(row).on_conflict(tokens::name).do_nothing();
    Ok(insert.execute(connection).await? > 0)
}

pub(super) async fn remove_token(connection: &mut Connection, name: &str) -> Result<bool, Fault> {
    Ok(diesel::delete(tokens::table.find(name)).execute(connection).await? > 0)
}

pub(super) async fn begin_session(
    connection: &mut Connection,
    session: &Hash,
    proof: &Hash,
    length: Duration,
) -> Result<(), Fault> {
    let now = dialect::now(connection).await?;
    let ended = sessions::table.filter(sessions::ends_at.le(now)).order(sessions::ends_at).limit(FORGET);
    let ended: Vec<Vec<u8>> = ended.select(sessions::hash).load(connection).await?;
    diesel::delete(sessions::table.filter(sessions::hash.eq_any(ended))).execute(connection).await?;
    let row = SessionRow { hash: session, proof, began_at: now, ends_at: Moment(now.0 + length) };
    diesel::insert_into(sessions::table).values(row).execute(connection).await?;
    Ok(())
}

pub(super) async fn session(connection: &mut Connection, session: &Hash) -> Result<Option<Hash>, Fault> {
    let now = dialect::now(connection).await?;
    let lasting = sessions::ends_at.gt(now);
    let session = sessions::table.find(&session[..]).filter(lasting).select(sessions::proof);
    let proof: Option<Vec<u8>> = session.first(connection).await.optional()?;
    let hash =
        |proof: Vec<u8>| Hash::try_from(proof).map_err(|_| Fault::Corrupt("sessions.proof".to_owned()));
    proof.map(hash).transpose()
}

pub(super) async fn end_session(connection: &mut Connection, session: &Hash) -> Result<(), Fault> {
    diesel::delete(sessions::table.find(&session[..])).execute(connection).await?;
    Ok(())
}
