"""The cases, each with those who take part. A case gives an outcome: rows, latencies or notes."""

from .binary import binary
from .dashboard import dashboard
from .engine import engine
from .floor import floor
from .full import full
from .hanging10k import hanging10k
from .loads import blog, fast, growth, hanging, scale
from .requests import beside, many, one

CASES = {
    "blog": blog,
    "fast": fast,
    "hanging": hanging,
    "hanging10k": hanging10k,
    "one": one,
    "many": many,
    "scale": scale,
    "floor": floor,
    "binary": binary,
}
LONG = {"growth": growth, "beside": beside, "full": full, "dashboard": dashboard, "engine": engine}
