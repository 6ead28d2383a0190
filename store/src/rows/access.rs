//! Rows of `tokens` and `sessions`.

use diesel::{Insertable, Queryable, Selectable};

use super::parse;
use crate::error::Fault;
use crate::schema::{sessions, tokens};
use crate::traits::{Scope, StoredToken};
use crate::values::Moment;

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tokens)]
pub(crate) struct TokenRow {
    name: String,
    scope: String,
    made_at: Moment,
}

impl TryFrom<TokenRow> for StoredToken {
    type Error = Fault;

    fn try_from(row: TokenRow) -> Result<Self, Fault> {
        let scope: Scope = parse(&row.scope, "tokens.scope")?;
        Ok(Self { name: row.name, scope, made_at: row.made_at.0 })
    }
}

#[derive(Debug, Insertable)]
#[diesel(table_name = tokens)]
pub(crate) struct NewTokenRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) hash: &'a [u8],
    pub(crate) scope: &'static str,
    pub(crate) made_at: Moment,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow<'a> {
    pub(crate) hash: &'a [u8],
    pub(crate) proof: &'a [u8],
    pub(crate) began_at: Moment,
    pub(crate) ends_at: Moment,
}
