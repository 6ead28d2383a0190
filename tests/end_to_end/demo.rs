//! `linkbeat demo`: the main job on real sockets, without internet.

use crate::support::Folder;
use crate::support::process::{linkbeat, run};

#[test]
fn the_demo_ends_with_0_because_every_verdict_was_as_played() {
    let folder = Folder::new();
    let ended = run(&mut linkbeat(folder.path(), ["demo"])).expect(0);
    assert!(ended.stdout.contains("Every verdict was as played"), "{}", ended.stdout);
    for part in ["Back from holiday", "Certificate expired", "Points at your router", "Behind a wall"] {
        assert_eq!(ended.stdout.matches(part).count(), 2, "both reports name `{part}`: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches("certificate expires in ").count(), 2, "{}", ended.stdout);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
}
