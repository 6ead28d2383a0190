//! Between commit and publish: what a crash leaves in the database is carried out all the same.

use linkbeat_shared::{
    CheckSpec, LinkSelection, LinkUrl, NewLink, Request, RequestId, RunState, ShowRules, WhiteList,
};

use crate::support::eventually;
use crate::support::form::Form;
use crate::support::site::{Answer, Street};

#[test]
fn a_run_that_was_filed_but_never_published_is_carried_out() {
    let (street, form) = (Street::open(), Form::fleet());
    let url = |name| NewLink::from_url(LinkUrl::parse(&street.url(name)).unwrap());
    street.set("checked", Answer::Page(200, String::new()));
    let friend = NewLink { name: Some("friend".parse().unwrap()), shown: Some(false), ..url("friend") };
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::Given(vec![url("checked"), friend]),
        white_list: WhiteList(["friend".to_owned()].into()),
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
    };
    // As if the process had been killed right after the commit.
    let run = form.store(async |store| linkbeat_producer::file(&store, request).await.unwrap().run.id);
    let counts = eventually("the producer to find and publish its jobs", || {
        form.store(async |store| {
            let state = store.run(run).await.unwrap().unwrap().state;
            let counts = store.counts(run).await.unwrap().unwrap();
            store.close().await;
            (state == RunState::Finished).then_some(counts)
        })
    });
    assert_eq!((counts.up, counts.white_listed, counts.to_show), (1, 1, 1));
    assert_eq!(street.hits("checked"), 1);
}
