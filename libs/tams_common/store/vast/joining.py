"""Windows of one table that are asked for at once become one request: VAST DB takes an OR of ranges on one column."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from tams_common.store.vast.link import Answer, Ask
from tams_common.store.where import AnyOf, Between, Compare, Condition

N = TypeVar("N")


class Range(msgspec.Struct, frozen=True):
    """A query for at most so many rows between two numbers of one of its columns, apart from its other conditions."""

    ask: Ask
    between: Between
    others: tuple[Condition, ...]

    def fits(self, other: "Range") -> bool:
        """Whether both can be asked for together."""
        mine, its = self.ask, other.ask
        return (
            mine.stored is its.stored
            and mine.config is its.config
            and (mine.columns, self.between.column, self.others) == (its.columns, other.between.column, other.others)
        )

    def of(self, answer: Answer) -> Answer:
        """Its own share of an answer to several."""
        place = self.ask.columns.index(self.between.column)
        low, high = self.between.low, self.between.high
        return Answer([row for row in answer.rows if low <= row[place] <= high], whole=True)


def range_of(ask: Ask) -> Range | None:
    """What `ask` asks for, if it is a range."""
    if not ask.where or ask.most is None:
        return None
    column, lows, highs, others = ask.where[-1].column, [], [], []
    for condition in ask.where:
        match condition:
            case Between(column=name, low=int(low), high=int(high)) if name == column:
                lows.append(low)
                highs.append(high)
            case Compare(column=name, op=">=", value=int(low)) if name == column:
                lows.append(low)
            case Compare(column=name, op="<=", value=int(high)) if name == column:
                highs.append(high)
            case _ if condition.column == column:
                return None
            case _:
                others.append(condition)
    if column not in ask.columns or not lows or not highs:
        return None
    return Range(ask, Between(column, max(lows), min(highs)), tuple(others))


def joined(asks: Mapping[N, Ask]) -> list[list[tuple[N, Ask]]]:
    """`asks`, which go by any names, in groups that `answers` asks for together."""
    groups: list[tuple[Range | None, list[tuple[N, Ask]]]] = []
    for name, ask in asks.items():
        range_ = range_of(ask)
        same = (group for first, group in groups if first is not None and range_ is not None and range_.fits(first))
        group = next(same, None)
        if group is None:
            groups.append((range_, [(name, ask)]))
        else:
            group.append((name, ask))
    return [group for _, group in groups]


def answers(asks: Sequence[Ask], ask: Callable[[Ask], Answer]) -> list[Answer]:
    """The answers to a group."""
    ranges = [range_ for range_ in map(range_of, asks) if range_ is not None]
    return together(ranges, ask) if len(asks) > 1 else [ask(asks[0])]


def together(ranges: Sequence[Range], ask: Callable[[Ask], Answer]) -> list[Answer]:
    """The answers to `ranges`, which fit each other: of one request, or each of its own if that is cut short."""
    first = ranges[0].ask
    if len(ranges) > 1:
        where = (*ranges[0].others, AnyOf(tuple(dict.fromkeys(range_.between for range_ in ranges))))
        most = sum(range_.ask.most or 0 for range_ in ranges)
        answer = ask(Ask(first.stored, first.columns, where, first.config, most))
        if answer.whole:
            return [range_.of(answer) for range_ in ranges]
    return [ask(range_.ask) for range_ in ranges]
