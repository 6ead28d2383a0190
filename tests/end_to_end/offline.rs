//! Rule 9, last part: when nothing can be resolved or reached, nothing is hidden.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, answering_with, eventually, knowing_no_name, named};

/// A name to look up, and a resolver at which nobody listens.
const LIST: &str = "name,url\na,http://a.example.com/\nb,http://b.example.com/\n";
const NO_RESOLVER: [&str; 2] = ["--resolver", "127.0.0.1:1"];

#[test]
fn a_machine_that_is_offline_hides_nothing_and_says_so_once() {
    let form = Form::embedded();
    let list = form.list(LIST);
    let ended = form.check(&[&[arg(&list), "--timeout", "2s"], &NO_RESOLVER[..]].concat()).expect(3);
    assert_eq!(ended.stderr.matches("offline").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("--resume"), "{}", ended.stderr);
    for name in ["a", "b"] {
        assert_eq!(named(&form.links(), name)["shown"], true);
    }
}

#[test]
fn a_site_of_this_machine_that_answers_is_no_evidence() {
    let (street, form) = (Street::open(), Form::embedded());
    let up = street.set("up", Answer::After(Duration::from_millis(700), String::new()));
    let list = form.list(&format!("{LIST}up,{up}\n"));
    form.check(&[&[arg(&list), "--timeout", "2s"], &NO_RESOLVER[..]].concat()).expect(3);
    for name in ["a", "b", "up"] {
        assert_eq!(named(&form.links(), name)["shown"], true);
    }
}

#[test]
fn a_single_link_whose_domain_is_gone_is_down_where_the_name_server_is_well() {
    let form = Form::embedded();
    let resolver = knowing_no_name();
    let list = form.list("name,url\na,http://a.example.com/\n");
    let report = form.report(&[arg(&list), "--timeout", "2s", "--resolver", &resolver.address().to_string()]);
    assert_eq!(named(&report["data"]["links"], "a")["verdict"], "down");
}

#[test]
fn a_network_that_answers_in_the_sites_place_hides_nothing_and_is_named() {
    let form = Form::embedded();
    let resolver = answering_with(Ipv4Addr::new(198, 18, 0, 7));
    let list = form.list(LIST);
    let ended =
        form.check(&[arg(&list), "--timeout", "1s", "--resolver", &resolver.address().to_string()]).expect(3);
    for advice in ["--proxy", "--allow-network", "--resume"] {
        assert!(ended.stderr.contains(advice), "{}", ended.stderr);
    }
    for name in ["a", "b"] {
        assert_eq!(named(&form.links(), name)["shown"], true);
    }
}

#[test]
fn the_proxies_of_the_environment_are_used_and_named_when_they_are_ill() {
    let (street, folder) = (Street::open(), Folder::new());
    let list = folder.write("list.csv", LIST);
    let check = |proxy: &str, no_proxy: &str| {
        let mut check =
            linkbeat(folder.path(), ["check", arg(&list), "--timeout", "1s", "--resolver", "127.0.0.1:1"]);
        run(check.env("http_proxy", proxy).env("no_proxy", no_proxy))
    };
    let nobody = linkbeat_testbed::street::dead_url().replace("http://", "http://me:secret@");
    let ended = check(&nobody, "").expect(3);
    let address = nobody.rsplit('@').next().unwrap().trim_end_matches('/');
    assert!(ended.stderr.contains("proxy") && ended.stderr.contains(address), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    // It answers whatever it is asked for.
    let proxy = street.url("").trim_end_matches('/').to_owned();
    assert!(check(&proxy, "").status.is_some_and(|status| status != 3), "over the proxy");
    check(&proxy, "example.com").expect(3);
}

#[test]
fn an_offline_worker_gives_its_jobs_back_to_the_fleet() {
    let mut fleet = Fleet::start(&NO_RESOLVER);
    let folder = Folder::new();
    let street = Street::open();
    let up = street.set("up", Answer::Page(404, String::new()));
    let list =
        folder.write("list.csv", "name,url\nlocal,http://localhost/\n".replace("http://localhost/", &up));
    let mut ask = linkbeat(folder.path(), ["run", arg(&list), "--wait", "--format", "json"]);
    fleet.configure(&mut ask);
    assert_eq!(run(&mut ask).expect(1).json()["data"]["down"], 1, "what can be reached is judged as ever");
    let list = folder.write("list.csv", LIST);
    let mut file = linkbeat(folder.path(), ["run", arg(&list), "--timeout", "1s", "--format", "json"]);
    fleet.configure(&mut file);
    let id = run(&mut file).expect(0).json()["run_id"].as_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_secs(6));
    let show = |fleet: &Fleet| {
        let mut show = linkbeat(folder.path(), ["runs", "show", &id, "--format", "json"]);
        fleet.configure(&mut show);
        run(&mut show).json()
    };
    assert_eq!(show(&fleet)["data"]["checked"], 0, "no verdict without evidence");
    assert!(
        fleet.role(2).is_running() && fleet.role(3).is_running(),
        "an offline worker waits, it does not end"
    );
    let resolver = knowing_no_name();
    fleet.start_worker(&["--resolver", &resolver.address().to_string()]);
    eventually("the worker that can resolve to finish the run", || {
        (show(&fleet)["data"]["down"] == 2).then_some(())
    });
}
