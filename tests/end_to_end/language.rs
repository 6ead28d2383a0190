//! linkbeat speaks Chinese: help, notes, errors and reports.

use crate::support::form::{Form, arg};
use crate::support::process::{Ended, linkbeat, run};
use crate::support::site::{Answer, Street};

fn in_locale(form: &Form, locale: &[(&str, &str)], args: &[&str]) -> Ended {
    let mut command = linkbeat(form.folder.path(), args);
    for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    run(command.envs(locale.iter().copied()))
}

#[test]
fn a_locale_or_a_flag_chooses_the_language() {
    let form = Form::embedded();
    let none = |locale: &[(&str, &str)], args: &[&str]| in_locale(&form, locale, args).stdout;
    let list = ["links", "list"];
    assert_eq!(none(&[("LANG", "zh_CN.UTF-8")], &list), "没有链接\n");
    assert_eq!(
        none(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")], &list),
        "No links\n",
        "LC_ALL counts first"
    );
    assert_eq!(none(&[("LANG", "zh_CN.UTF-8"), ("LINKBEAT_OUTPUT_LANG", "en")], &list), "No links\n");
    assert_eq!(none(&[], &["links", "list", "--lang", "zh_CN"]), "没有链接\n");
    assert_eq!(none(&[], &["--lang", "zh", "links", "list"]), "没有链接\n");
    for args in
        [&["schedule", "list"][..], &["history", "status"], &["runs", "list"], &["links", "remove", "x"]]
    {
        let args = [args, &["--lang", "zh"]].concat();
        let ended = in_locale(&form, &[], &args);
        assert!(!ended.stderr.contains("--lang"), "{args:?} takes a language: {}", ended.stderr);
    }
    let offline = in_locale(&form, &[], &["--lang", "zh", "check", "friend.example"]).expect(2).stderr;
    assert!(offline.contains("若要检查该网址，请写 https://friend.example；"), "{offline}");
    assert_eq!(none(&[("LANG", "de_DE.UTF-8")], &list), "No links\n");
}

#[test]
fn help_notes_errors_and_reports_are_chinese() {
    let (street, form) = (Street::open(), Form::embedded());
    let a = street.set("a", Answer::Page(200, "nothing".to_owned()));
    let zh = [("LC_ALL", "zh_CN.UTF-8")];
    let help = in_locale(&form, &zh, &["check", "--help"]).expect(0).stdout;
    for text in ["用法：", "每个链接的总时限", "全局选项", "显示帮助"] {
        assert!(help.contains(text), "`{text}` in {help}");
    }
    let wrong = in_locale(&form, &zh, &["check", "--nonsense"]).expect(2).stderr;
    assert!(wrong.contains("错误：未知参数") && wrong.contains("--nonsense"), "{wrong}");
    let missing = in_locale(&form, &zh, &["check", "missing.csv"]).expect(2).stderr;
    assert!(
        missing.starts_with("错误：missing.csv：无法读取：") && missing.contains("请检查路径"),
        "{missing}"
    );
    let list = form.folder.write("list", format!("name,url\n友,{a}\n"));
    let args = ["check", arg(&list), "--backlink", "me", "--allow-network", "127.0.0.0/8"];
    let checked = in_locale(&form, &zh, &args).expect(1);
    assert!(checked.stderr.contains("：按 CSV 读取"), "{checked:#?}");
    assert!(
        checked.stdout.contains("未回链") && checked.stdout.contains("网站未设置本站外链"),
        "{checked:#?}"
    );
    let imported = in_locale(&form, &zh, &["links", "import", arg(&list)]).expect(0).stderr;
    assert!(imported.contains("新增 0，更新 0，未变 1"), "{imported}");
}
