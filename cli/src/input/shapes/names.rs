//! What lists call the fields of a link.

use crate::input::row::Fields;

/// A field of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Url,
    PageUrl,
    Active,
    PausedUntil,
    Shown,
    Backlink,
    Group,
    Avatar,
    Description,
    Screenshot,
    Feed,
    Tags,
    Pin,
    PinNote,
}

/// The names of each field, in small letters. The first that a list has counts.
pub(super) const NAMES: [(Field, &[&str]); 15] = [
    (
        Field::Name,
        &[
            "name",
            "title",
            "sitename",
            "site_name",
            "nickname",
            "名称",
            "名字",
            "站名",
            "网站名称",
            "昵称",
            "标题",
            "网站名",
            "站点名称",
            "博客名称",
        ],
    ),
    (
        Field::Url,
        &[
            "url",
            "link",
            "href",
            "website",
            "homepage",
            "site",
            "htmlurl",
            "site_url",
            "link_url",
            "uri",
            "链接",
            "网址",
            "地址",
            "网站",
            "主页",
            "网站链接",
            "网站地址",
            "站点地址",
            "博客地址",
        ],
    ),
    (Field::PageUrl, &["page_url", "linkpage", "link_page", "友链页", "友链页面"]),
    (Field::Active, &["active", "启用"]),
    (Field::PausedUntil, &["paused_until"]),
    (Field::Shown, &["shown", "显示"]),
    (Field::Backlink, &["backlink"]),
    (Field::Group, &["group", "category", "分组", "分类"]),
    (Field::Avatar, &["avatar", "logo", "头像"]),
    (Field::Description, &["description", "descr", "desc", "intro", "描述", "简介", "介绍", "签名"]),
    (Field::Screenshot, &["screenshot", "siteshot", "截图"]),
    (Field::Feed, &["feed", "rss", "atom", "xmlurl", "feed_url", "订阅"]),
    (Field::Tags, &["tags", "标签"]),
    (Field::Pin, &["pin"]),
    (Field::PinNote, &["pin_note"]),
];

/// Where an object that holds a list says which section that list is.
pub(super) const SECTIONS: [&str; 4] = ["class_name", "links_category", "group", "category"];

/// The same, if the object is itself one of several in a list. Elsewhere these name something else.
pub(super) const NAMES_OF_SECTIONS: &[&str] = &["name", "title"];

/// What lists call the list inside them. Where one of these stands, all else beside it is no link.
pub(super) const LISTS: [&str; 7] = ["link_list", "sites", "list", "links", "friends", "content", "items"];

/// The names of a field.
pub(super) fn names(field: Field) -> &'static [&'static str] {
    NAMES.iter().find(|(named, _)| *named == field).map_or(&[], |(_, names)| names)
}

/// Whether a list calls the URL of a link so.
pub(super) fn is_url(name: &str) -> bool {
    names(Field::Url).contains(&name.trim().to_lowercase().as_str())
}

/// Which field a list means by this name.
pub(super) fn field(name: &str) -> Option<Field> {
    let name = name.trim().to_lowercase();
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(field, _)| *field)
}

/// Takes the text of a field.
pub(super) fn put(fields: &mut Fields, field: Field, text: String) {
    match field {
        Field::Name => fields.name = text,
        Field::Url => fields.url = text,
        Field::PageUrl => fields.page_url = text,
        Field::Active => fields.active = text,
        Field::PausedUntil => fields.paused_until = text,
        Field::Shown => fields.shown = text,
        Field::Backlink => fields.backlink = text,
        Field::Group => fields.group = text,
        Field::Avatar => fields.avatar = text,
        Field::Description => fields.description = text,
        Field::Screenshot => fields.screenshot = text,
        Field::Feed => fields.feed = text,
        Field::Pin => fields.pin = text,
        Field::PinNote => fields.pin_note = text,
        // An array is what linkbeat writes where a tag has a comma in it.
        Field::Tags => {
            let split = || text.split([',', ';']).map(str::to_owned).collect();
            fields.tags = serde_json::from_str(&text).unwrap_or_else(|_| split());
        }
    }
}
