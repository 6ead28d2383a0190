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

/// The names of each field, in small letters. The first that a list has counts. See [`same`].
pub(super) const NAMES: [(Field, &[&str]); 15] = [
    (
        Field::Name,
        &[
            "name",
            "title",
            "sitename",
            "nickname",
            "display_name",
            "blog_name",
            "blog_title",
            "site_title",
            "nick",
            "author",
            "名称",
            "名字",
            "站名",
            "网站名称",
            "昵称",
            "标题",
            "网站名",
            "站点名称",
            "博客名称",
            "博客名",
            "名稱",
            "站點名稱",
            "網站名稱",
            "サイト名",
            "名前",
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
            "site_link",
            "link_url",
            "website_url",
            "blog_url",
            "uri",
            "blog",
            "address",
            "链接",
            "网址",
            "地址",
            "网站",
            "主页",
            "网站链接",
            "网站地址",
            "站点地址",
            "博客地址",
            "博客链接",
            "網址",
            "連結",
            "鏈接",
            "網站",
            "網站網址",
            "リンク",
        ],
    ),
    (Field::PageUrl, &["page_url", "link_page", "友链页", "友链页面", "友链地址"]),
    (Field::Active, &["active", "启用"]),
    (Field::PausedUntil, &["paused_until"]),
    (Field::Shown, &["shown", "显示"]),
    (Field::Backlink, &["backlink"]),
    (Field::Group, &["group", "category", "分组", "分类", "分組", "分類"]),
    (
        Field::Avatar,
        &[
            "avatar",
            "logo",
            "image",
            "img",
            "avatar_url",
            "logo_url",
            "site_logo",
            "site_avatar",
            "pic",
            "picture",
            "photo",
            "favicon",
            "头像",
            "头像地址",
            "头像链接",
            "頭像",
            "大頭貼",
        ],
    ),
    (
        Field::Description,
        &[
            "description",
            "descr",
            "desc",
            "intro",
            "introduction",
            "site_description",
            "site_desc",
            "bio",
            "about",
            "summary",
            "signature",
            "slogan",
            "word",
            "描述",
            "简介",
            "介绍",
            "签名",
            "网站描述",
            "网站简介",
            "博客描述",
            "網站描述",
            "簡介",
            "介紹",
            "説明",
        ],
    ),
    (Field::Screenshot, &["screenshot", "siteshot", "thumbnail", "snapshot", "截图", "网站截图", "截圖"]),
    (Field::Feed, &["feed", "rss", "atom", "xmlurl", "feed_url", "rss_url", "订阅", "订阅地址", "訂閱"]),
    (Field::Tags, &["tags", "tag", "标签", "標籤"]),
    (Field::Pin, &["pin"]),
    (Field::PinNote, &["pin_note"]),
];

/// Where an object that holds a list says which section that list is.
pub(super) const SECTIONS: [&str; 4] = ["class_name", "links_category", "group", "category"];

/// The same, if the object is itself one of several in a list. Elsewhere these name something else.
pub(super) const NAMES_OF_SECTIONS: &[&str] = &["name", "title"];

/// What lists call the list inside them. Where some of these stand, all else beside them is no link.
pub(super) const LISTS: [&str; 8] =
    ["link_list", "sites", "list", "links", "friends", "friend_links", "content", "items"];

/// Whether linkbeat wrote a row with these names: no list of anybody else has both.
pub(super) fn are_ours<'n>(names: impl Iterator<Item = &'n str>) -> bool {
    let (mut shown, mut verdict) = (false, false);
    for name in names {
        shown |= matches!(name, "shown" | "显示");
        verdict |= matches!(name, "verdict" | "结果");
    }
    shown && verdict
}

/// The names of a field.
pub(super) fn names(field: Field) -> &'static [&'static str] {
    NAMES.iter().find(|(named, _)| *named == field).map_or(&[], |(_, names)| names)
}

/// Whether two names are the same: `Site Name`, `site_name` and `siteName` are.
pub(super) fn same(name: &str, other: &str) -> bool {
    let letters = |name| {
        let letters = str::chars(name).filter(|c| !matches!(c, '_' | '-') && !c.is_whitespace());
        letters.map(|c| c.to_ascii_lowercase())
    };
    letters(name).eq(letters(other))
}

/// Whether a list calls the URL of a link so.
pub(super) fn is_url(name: &str) -> bool {
    names(Field::Url).iter().any(|known| same(name, known))
}

/// Whether a table calls the URL of a link so. In a table an address may as well be a street.
pub(super) fn is_url_column(name: &str) -> bool {
    is_url(name) && !same(name, "address")
}

/// Whether a list calls a list inside it so.
pub(super) fn is_list(name: &str) -> bool {
    LISTS.iter().any(|known| same(name, known))
}

/// Which field a list means by this name.
pub(super) fn field(name: &str) -> Option<Field> {
    let is_named = |names: &[&str]| names.iter().any(|known| same(name, known));
    NAMES.iter().find(|(_, names)| is_named(names)).map(|(field, _)| *field)
}

/// Whether a field says where something is.
pub(super) fn is_place(field: Field) -> bool {
    matches!(field, Field::Url | Field::PageUrl | Field::Avatar | Field::Screenshot | Field::Feed)
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
