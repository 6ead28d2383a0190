import type { Link } from "../types";

/* each of them
   links back */
export const FRIENDS: Link[] = [
  { title: "甲", href: "https://a.example/", tags: ["x", "y"] },
] as const;
