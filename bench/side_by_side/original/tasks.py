import asyncio
import re

import aiohttp
from app import app
from django.utils import timezone
from friends.models import Friend

TIMEOUT = aiohttp.ClientTimeout(total=5)


@app.task
def check_friends(ids, site_link):
    """Checks these links at once, stores what changed, and counts: [shown, hidden]."""
    friends = list(Friend.objects.filter(id__in=ids))
    reasons = asyncio.run(check(friends, re.compile(site_link)))
    for friend, reason in zip(friends, reasons, strict=True):
        friend.show, friend.reason, friend.checked = not reason, reason, timezone.now()
    Friend.objects.bulk_update(friends, ["show", "reason", "checked"])
    return [reasons.count(""), len(reasons) - reasons.count("")]


async def check(friends, site_link):
    async with aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=0)) as session:
        return await asyncio.gather(*(fault(session, friend.url, site_link) for friend in friends))


async def fault(session, url, site_link):
    """Why a link is hidden; empty when it is fine."""
    try:
        async with session.get(url) as answer:
            page = await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return str(error) or type(error).__name__
    if answer.status != 200:
        return f"网页请求返回{answer.status}"
    return "" if site_link is None or site_link.search(page) else "网站未设置本站外链"
