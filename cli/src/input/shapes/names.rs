//! What lists call the fields of a link.

/// A field of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Url,
    PageUrl,
    Active,
    Shown,
    Backlink,
    Group,
    Avatar,
    Description,
    Screenshot,
    Feed,
    Tags,
}

/// The names of each field, in small letters. The first that a list has counts.
pub(super) const NAMES: [(Field, &[&str]); 12] = [
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
        ],
    ),
    (
        Field::Url,
        &[
            "url", "link", "href", "website", "homepage", "site", "htmlurl", "链接", "网址", "地址", "网站",
            "主页",
        ],
    ),
    (Field::PageUrl, &["page_url", "linkpage", "link_page", "友链页", "友链页面"]),
    (Field::Active, &["active"]),
    (Field::Shown, &["shown"]),
    (Field::Backlink, &["backlink"]),
    (Field::Group, &["group", "category", "分组", "分类"]),
    (Field::Avatar, &["avatar", "logo", "头像"]),
    (Field::Description, &["description", "descr", "desc", "描述", "简介", "介绍"]),
    (Field::Screenshot, &["screenshot", "siteshot", "截图"]),
    (Field::Feed, &["feed", "rss", "atom", "xmlurl", "订阅"]),
    (Field::Tags, &["tags", "标签"]),
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
