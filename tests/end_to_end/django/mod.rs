//! The blog of `examples/django-blog`: a real Django, from PyPI, over the real stack.

use std::process::Command;

use linkbeat_testbed::background;
use linkbeat_testbed::database::Database;
use linkbeat_testbed::servers::PrivateServers;
use url::Url;

use crate::support::Folder;
use crate::support::fleet::Fleet;
use crate::support::form::arg;
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/django-blog");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/end_to_end/django/use_the_blog.py");

#[test]
fn the_blog_hides_the_dead_friend_and_shows_the_recovered_one() {
    let servers = PrivateServers::start("provide_django");
    let (street, folder) = (Street::open(), Folder::new());
    let django = background(Database::create("django"));
    let settings = [
        ("LINKBEAT_CELERY_BACKEND", "django-db"),
        ("LINKBEAT_CELERY_DATABASE_URL", django.url.as_str()),
        ("LINKBEAT_CELERY_RESULT_EXTENDED", "true"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut fleet = Fleet::serving_celery(&settings);
    fleet.start_worker(&["--allow-network", "127.0.0.0/8"]);
    let backlink = || "friend of https://my.blog/".to_owned();
    let alive = street.set("alive", Answer::Page(200, backlink()));
    let dead = street.set("dead", Answer::Page(404, String::new()));
    let recovered = street.set("recovered", Answer::Page(200, backlink()));
    let list = format!("name,url,shown\nalive,{alive},yes\ndead,{dead},yes\nrecovered,{recovered},no\n");
    let list = folder.write("friends.csv", list);
    let mut import = linkbeat(folder.path(), ["links", "import", arg(&list)]);
    fleet.configure(&mut import);
    run(&mut import).expect(0);

    let namespace = &fleet.servers.namespace;
    let ended = run(Command::new(servers.get("DJANGO_PYTHON"))
        .current_dir(EXAMPLE)
        .arg(SCRIPT)
        .env("PYTHONPATH", EXAMPLE)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DATABASE_URL", &django.url)
        .env("LINKBEAT_DATABASE_URL", with_few_rights(&fleet))
        .env("BROKER_URL", &fleet.servers.broker_url)
        .env("LINKBEAT_NAMESPACE", namespace)
        .env("LINKBEAT_CELERY_QUEUE", format!("{namespace}.celery")))
    .expect(0);
    assert!(ended.stdout.ends_with("the blog works\n"), "{ended:#?}");
    drop_login(&fleet);
}

/// linkbeat's database for a login with the rights that the example's README grants, and no others.
fn with_few_rights(fleet: &Fleet) -> String {
    let readme = std::fs::read_to_string(format!("{EXAMPLE}/README.md")).unwrap();
    let (_, rest) = readme.split_once("```sql\n").expect("the rights");
    let (grants, _) = rest.split_once("```").unwrap();
    assert!(grants.contains("TO blog;"), "{grants}");
    let mut url: Url = fleet.database_url().parse().unwrap();
    let database = url.path().trim_start_matches('/').to_owned();
    let login = login_of(fleet);
    let grants = grants.replace("blog", &login).replace("DATABASE linkbeat", &format!("DATABASE {database}"));
    fleet.servers.execute(&grants);
    url.set_username(&login).unwrap();
    url.set_password(Some("change-me-5")).unwrap();
    url.to_string()
}

/// Logins are the server's, which other tests share.
fn login_of(fleet: &Fleet) -> String {
    format!("app_{}", fleet.servers.namespace)
}

fn drop_login(fleet: &Fleet) {
    let login = login_of(fleet);
    fleet.servers.execute(&format!("DROP OWNED BY {login}; DROP ROLE {login}"));
}
