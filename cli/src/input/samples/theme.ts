import { defineConfig } from "vitepress";

const year = new Date().getFullYear();
export default defineConfig({
  title: `since ${year}`,
  themeConfig: {
    socialLinks: [{ icon: "github", link: "https://github.com/me" }],
    friends: { "朋友": [{ name: "甲", link: "https://a.example/", logo: "/a.png" }] },
  },
});
