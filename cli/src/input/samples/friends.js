// 友链
export default [
  {
    name: "甲",
    url: 'https://a.example/',
    avatar: `/a.png`,
    desc: "第一位", // it's me
  },
  { name: '乙', url: "https://b.example/", added: new Date("2024-01-01") },
];
