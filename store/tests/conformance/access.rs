//! Tokens and sessions.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_store::{Scope, TokenName};

use crate::database::TestDatabase;

cases![a_token_is_found_by_its_hash_until_it_is_removed, a_session_ends];

const LONG: Duration = Duration::from_secs(600);

fn name(text: &str) -> TokenName {
    text.parse().unwrap()
}

async fn a_token_is_found_by_its_hash_until_it_is_removed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    assert!(store.add_token(&name(" b "), &[1; 32], Scope::Write).await.unwrap());
    assert!(store.add_token(&name("a"), &[2; 32], Scope::Read).await.unwrap());
    assert!(!store.add_token(&name("a"), &[3; 32], Scope::Write).await.unwrap(), "the name is taken");
    let found = store.token(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.scope), ("b", Scope::Write));
    assert_eq!(store.token(&[3; 32]).await.unwrap(), None);
    let names: Vec<_> = store.tokens().await.unwrap().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(store.remove_token("b").await.unwrap());
    assert!(!store.remove_token("b").await.unwrap());
    assert_eq!(store.token(&[1; 32]).await.unwrap(), None);
    assert!("".parse::<TokenName>().is_err() && "a\u{7}".parse::<TokenName>().is_err());
}

async fn a_session_ends(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.begin_session(&[1; 32], &[9; 32], LONG).await.unwrap();
    assert_eq!(store.session(&[1; 32]).await.unwrap(), Some([9; 32]));
    assert_eq!(store.session(&[9; 32]).await.unwrap(), None);
    store.end_session(&[1; 32]).await.unwrap();
    store.end_session(&[1; 32]).await.unwrap();
    assert_eq!(store.session(&[1; 32]).await.unwrap(), None);
    store.begin_session(&[2; 32], &[9; 32], Duration::ZERO).await.unwrap();
    assert_eq!(store.session(&[2; 32]).await.unwrap(), None, "it has ended");
    // That one is forgotten now, so its hash may come again.
    store.begin_session(&[3; 32], &[9; 32], LONG).await.unwrap();
    store.begin_session(&[2; 32], &[8; 32], LONG).await.unwrap();
    assert_eq!(store.session(&[2; 32]).await.unwrap(), Some([8; 32]));
}
