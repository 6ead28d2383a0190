module.exports = {
  links: [
    { sitename: "甲", website: "https://a.example/" },
    ...more.map((it) => ({ sitename: it.n, website: it.u })),
  ],
};
