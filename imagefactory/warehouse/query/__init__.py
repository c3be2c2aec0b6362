"""The query language of iwhd: `_query` bodies and `_policy` values.

Grammar (as iwhd parsed it, names widened):
    query      := unary | query "&&" unary | query "||" unary      equal rank, from the left
    unary      := comparison | "!" comparison
    comparison := atom | atom OP atom                               OP: < <= > >= == !=
    atom       := field | literal | "(" query ")"
    field      := "$" name | "#" name | field "." name
    literal    := number | string | date | name
Tokens are `"..."` (no escapes), `~...~`, `[0-9]+` and names `[A-Za-z_][A-Za-z0-9_-]*`; blanks mean nothing.
"""

from imagefactory.warehouse.query.evaluate import matches
from imagefactory.warehouse.query.index import Equality, Plan, plan
from imagefactory.warehouse.query.syntax import Query, parse

__all__ = ["Equality", "Plan", "Query", "matches", "parse", "plan"]
